"""When Redis does not answer: which errors pass by themselves, how long to go on trying, one log line an outage.

Every taskpy script may be sent twice, so whatever passes by itself is simply tried again. The loops that do it stand
in `broker.py` and `broker_aio.py`; what they decide stands here.
"""

import logging
import re
import ssl
import threading
import time

import redis

from taskpy import errors, retry

logger = logging.getLogger("taskpy.broker")

#: Answers of a server that is starting, failing over, moving slots or short of disk: they pass.
_PASSING = (
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNBLOCKED",
    "NOREPLICAS",
    "MISCONF",
    "BUSY ",
)

#: The same, and slots on their way, where a Cluster's client has taken the word away from the text.
_PASSING_IN_A_CLUSTER = (redis.exceptions.ClusterError, redis.exceptions.TryAgainError, redis.exceptions.AskError)

#: What a call to redis-py may raise; that of a Cluster which cannot be reached is no RedisError.
FAILURES = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)


def is_passing(error: Exception) -> bool:
    """Whether this error goes away by itself, so that the same call may be sent again."""
    if _refusal_in(error) is not None:
        return False
    if isinstance(error, redis.exceptions.RedisClusterException | redis.ConnectionError | redis.TimeoutError | OSError):
        return True
    if isinstance(error, redis.exceptions.NoScriptError):  # forgotten again, between the load and the call
        return True
    if isinstance(error, _PASSING_IN_A_CLUSTER):
        return True
    return isinstance(error, redis.ResponseError) and str(error).startswith(_PASSING)


def _refusal_in(error: BaseException | None) -> BaseException | None:
    """The error by which one side refused the other, its login or its certificate; redis-py may have wrapped it."""
    refusals = redis.AuthenticationError | redis.exceptions.AuthorizationError | ssl.SSLCertVerificationError
    while error is not None and not isinstance(error, refusals):
        error = error.__cause__ or error.__context__
    return error


def said(error: Exception) -> str:
    """What the error says, without the settings of a Sentinel's client, which redis-py puts in."""
    text = re.sub(r"<redis\..*>", "asked the Sentinels", str(error))
    refusal = _refusal_in(error)
    # redis-py 5.0 says no more of a certificate than "Error 1 connecting to host:port. 1."
    return text if refusal is None or str(refusal) in text else f"{text}: {refusal}"


def translated(error: Exception, server: str) -> errors.BrokerError:
    """Our own error for one of redis-py's, naming the server."""
    if is_out_of_memory(error):
        return errors.Busy(f"{server} is out of memory: {error}")
    return errors.Refused(f"{server} refused the call: {said(error)}")


def is_out_of_memory(error: Exception) -> bool:
    """Whether Redis refused a write because it is at its `maxmemory`."""
    # A refusal inside a script has the command's text around it; the class differs between redis-py 5 and 8.
    return isinstance(error, redis.ResponseError) and ("OOM " in str(error) or "maxmemory" in str(error))


class Outage:
    """Whether one server answers, over all its callers; says so once when it stops and once when it is back."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._since: float | None = None
        self._lock = threading.Lock()

    def begins(self, error: Exception) -> None:
        """Note that a call failed."""
        with self._lock:
            if self._since is not None:
                return
            self._since = time.monotonic()
        logger.warning("redis does not answer, trying again: server=%s error=%s", self.server, said(error))

    def ends(self, asked: float) -> None:
        """Note that a call made at the moment `asked` (monotonic) was answered. Cheap when nothing was wrong."""
        if self._since is None:
            return
        with self._lock:
            since = self._since
            if since is None or asked < since:  # an answer that was on its way when the server fell silent
                return
            self._since = None
        logger.info("redis answers again: server=%s after=%.1fs", self.server, time.monotonic() - since)


class Patience:
    """How long one call goes on trying: `timeout` seconds from the moment `began` (monotonic), or for ever with None."""

    def __init__(self, outage: Outage, timeout: float | None, began: float) -> None:
        self._outage = outage
        self._timeout = timeout
        self._deadline = None if timeout is None else began + timeout
        self._failures = 0

    def pause_after(self, error: Exception) -> float:
        """Seconds to wait before the call is sent again; raises our own error when it should not be."""
        if self._timeout is None and is_out_of_memory(error):
            return retry.RECONNECT_CAP_SECONDS  # a task's own words wait for room
        if not is_passing(error):
            raise translated(error, self._outage.server) from error
        self._outage.begins(error)
        self._failures += 1
        pause = retry.reconnect_delay(self._failures)
        if self._deadline is not None and time.monotonic() + pause >= self._deadline:
            raise errors.Unreachable(
                f"no answer from {self._outage.server} in {self._timeout:g} s: {said(error)}; is the server running, and is "
                f"this the right address?"
            ) from error
        return pause
