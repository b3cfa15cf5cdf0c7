"""What passes by itself, how long one call is patient, and one line in the log for one outage."""

import logging
import ssl

import pytest
import redis

from taskpy import errors, outage
from taskpy.outage import Outage, Patience

PASSING = [
    redis.exceptions.NoScriptError("No matching script."),  # a second SCRIPT FLUSH, right behind the first
    redis.ConnectionError("Connection refused"),
    redis.TimeoutError("Timeout reading"),
    redis.exceptions.BusyLoadingError("LOADING Redis is loading the dataset in memory"),
    redis.exceptions.ReadOnlyError("READONLY You can't write against a read only replica."),
    redis.ResponseError("MASTERDOWN Link with MASTER is down"),
    redis.ResponseError("CLUSTERDOWN Hash slot not served"),
    redis.exceptions.ClusterDownError("The cluster is down"),
    redis.exceptions.MasterDownError("Link with MASTER is down"),
    redis.exceptions.ClusterError("TTL exhausted."),
    redis.exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
    redis.exceptions.MovedError("3999 127.0.0.1:6381"),
    redis.ResponseError("TRYAGAIN Multiple keys request during rehashing of slot"),
    redis.ResponseError("UNBLOCKED force unblock from blocking operation"),
    redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    redis.ResponseError("MISCONF Errors writing to the AOF file"),
    redis.ResponseError("BUSY Redis is busy running a script."),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
]
LASTING = [
    redis.AuthenticationError("invalid username-password pair"),
    redis.exceptions.AuthorizationError("not allowed"),
    redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    redis.ResponseError("BUSYKEY Target key name already exists."),
    redis.exceptions.NoPermissionError("this user has no permissions"),
    redis.DataError("Invalid input of type"),
    ValueError("a bug"),
]
OUT_OF_MEMORY = [
    redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'."),
    redis.ResponseError("user_script:5: OOM command not allowed when used memory > 'maxmemory'. script: abc"),
]


def shown(error):
    return f"{type(error).__name__} {error}"[:40]


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""
    moment = [100.0]
    monkeypatch.setattr(outage.time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def away(caplog):
    caplog.set_level(logging.INFO)
    return Outage("redis://there")


def lines(caplog):
    return [record.message for record in caplog.records]


@pytest.mark.parametrize("error", PASSING, ids=shown)
def test_what_passes_is_tried_again(error):
    assert outage.is_passing(error)


@pytest.mark.parametrize("error", LASTING + OUT_OF_MEMORY, ids=shown)
def test_what_does_not_pass_is_not(error):
    assert not outage.is_passing(error)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=shown)
def test_out_of_memory_is_busy_and_names_the_server(error):
    translated = outage.translated(error, "redis://there")

    assert isinstance(translated, errors.Busy)
    assert "redis://there" in str(translated)


@pytest.mark.parametrize("error", LASTING[:-1], ids=shown)
def test_anything_else_is_refused_and_names_the_server(error):
    translated = outage.translated(error, "redis://there")

    assert type(translated) is errors.Refused
    assert "redis://there" in str(translated)
    assert str(error) in str(translated)


def test_a_refused_certificate_says_why_however_it_is_wrapped():
    why = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    for wrapped in (redis.ConnectionError("Error 1 connecting to there:6379. 1."), redis.ConnectionError(str(why))):
        wrapped.__context__ = why
        assert not outage.is_passing(wrapped)
        assert str(outage.translated(wrapped, "redis://there")).count("certificate verify failed") == 1


# -- one outage, one line -------------------------------------------------------------------------


def test_an_outage_is_said_once_at_its_begin_and_once_at_its_end(away, caplog, clock):
    for _ in range(100):
        away.begins(redis.ConnectionError("refused"))
        clock[0] += 0.1
    for _ in range(100):
        away.ends(clock[0])

    begun, ended = lines(caplog)
    assert "redis://there" in begun
    assert "refused" in begun
    assert "redis://there" in ended
    assert "after=10.0s" in ended


def test_nothing_is_said_where_nothing_was_wrong(away, caplog, clock):
    away.ends(clock[0])

    assert not lines(caplog)


def test_an_answer_to_an_older_call_does_not_end_an_outage(away, caplog, clock):
    asked = clock[0]
    clock[0] += 1
    away.begins(redis.ConnectionError("refused"))
    clock[0] += 1

    away.ends(asked)
    away.begins(redis.ConnectionError("refused"))

    assert len(lines(caplog)) == 1


def test_each_outage_has_its_own_lines(away, caplog, clock):
    for _ in range(3):
        away.begins(redis.ConnectionError("refused"))
        clock[0] += 1
        away.ends(clock[0])

    assert len(lines(caplog)) == 6


# -- patience ---------------------------------------------------------------------------------------


def test_a_call_gives_up_after_its_time_counted_from_its_begin(away, clock):
    patience = Patience(away, 10, began=clock[0])
    error = redis.ConnectionError("refused")
    clock[0] += 8.5
    patience.pause_after(error)

    clock[0] += 1.5
    with pytest.raises(errors.Unreachable, match=r"redis://there in 10 s: refused") as raised:
        patience.pause_after(error)
    assert raised.value.__cause__ is error


def test_pauses_never_go_past_the_time_and_never_beyond_a_second(away, clock):
    patience = Patience(away, None, began=clock[0])

    pauses = [patience.pause_after(redis.ConnectionError("refused")) for _ in range(200)]

    assert max(pauses) <= 1.0
    assert max(pauses[50:]) > 0.5
    assert pauses[0] <= 0.04


def test_without_a_limit_it_never_gives_up(away, clock):
    patience = Patience(away, None, began=clock[0])
    clock[0] += 1e6

    assert patience.pause_after(redis.ConnectionError("refused")) >= 0


@pytest.mark.parametrize("error", LASTING, ids=shown)
@pytest.mark.parametrize("timeout", [None, 10])
def test_what_does_not_pass_is_raised_at_once(away, clock, caplog, error, timeout):
    with pytest.raises(errors.Refused):
        Patience(away, timeout, began=clock[0]).pause_after(error)

    assert not lines(caplog)


def test_for_room_in_redis_a_worker_waits_and_a_client_does_not(away, clock, caplog):
    assert Patience(away, None, began=clock[0]).pause_after(OUT_OF_MEMORY[0]) > 0
    with pytest.raises(errors.Busy):
        Patience(away, 10, began=clock[0]).pause_after(OUT_OF_MEMORY[0])
    assert not lines(caplog)
