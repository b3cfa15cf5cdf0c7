"""Every key in Redis: its type, what it holds, who writes it and when it dies. The data model is written down here.

All keys of a namespace share one hash tag, so that they live in one Cluster slot and a script may touch any of them. A
namespace that is cut into shards has a tag for each, and all of these keys in each; the first of them, `{namespace}`, then
has `meta` only.
Times inside Redis are milliseconds of Redis's own clock.
"""

from dataclasses import dataclass, field

from taskpy import naming


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace, or of one of its shards: their tags are `{namespace}` and, for shard 7, `{namespace#7}`."""

    namespace: str
    shard: int | None = None
    _prefix: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        naming.checked_name(self.namespace, "namespace")
        tag = self.namespace if self.shard is None else f"{self.namespace}#{self.shard}"  # no name has a # in it
        object.__setattr__(self, "_prefix", f"{{{tag}}}")

    # -- queues ---------------------------------------------------------------------------------

    def queue(self, queue: str) -> str:
        """LIST of the ids that are ready: pushed left, popped right; pushed right means served next.

        May hold an id twice, or one that has ended: `start` drops what is not queued. Gone while empty.
        """
        return f"{self._prefix}:q:{queue}"

    def bell(self, queue: str) -> str:
        """LIST of at most one item, which idle workers BRPOP. Losing it costs one block time.

        The item is the id it was rung for, or nothing: a hint by which a worker may start the task as it claims it.
        """
        return f"{self._prefix}:bell:{queue}"

    def queues(self) -> str:
        """SET of the names of all queues that ever got a task. Written by `submit`; stays."""
        return f"{self._prefix}:queues"

    def paused(self) -> str:
        """HASH of queue -> when it was paused, in ms: nothing is claimed from it until it is resumed. Gone while empty."""
        return f"{self._prefix}:paused"

    def later(self) -> str:
        """ZSET of delayed ids by the time they are due: delay, retry, pause after a lost worker.

        Also a CHANNEL: when a task becomes the first one due, its delay in ms is published here, so that sleeping
        promoters wake.
        """
        return f"{self._prefix}:later"

    def recent(self, queue: str) -> str:
        """LIST of the ids that ended last, newest first, capped. Outlives the tasks it names."""
        return f"{self._prefix}:recent:{queue}"

    def dead(self) -> str:
        """ZSET of the dead letters: failed ids by the time they ended.

        Written where a task fails; `revive` and `forget` remove. `due` names what is too old or too many.
        """
        return f"{self._prefix}:dead"

    # -- keys of tasks --------------------------------------------------------------------------

    def keyed(self) -> str:
        """HASH of key -> id of the live task that has it; behind it, when a task waits for the end of that one, its id.

        Written by `submit_keyed` and `revive`; whoever ends a task takes it out. Gone while empty.
        """
        return f"{self._prefix}:keyed"

    def behind(self) -> str:
        """ZSET of the ids that wait for the end of the task with their key, by the time they are due. Gone while empty."""
        return f"{self._prefix}:behind"

    def answer(self, id: str) -> str:
        """STRING of how the submission of this id was answered when its key was another task's; expires after 10 min.

        For late copies of the same call: they must not submit what was refused.
        """
        return f"{self.task(id)}:answer"

    def felling(self) -> str:
        """ZSET of the tasks below which all are to be stopped, by when the sweep does it if nobody has by then (ms).

        Written by `stop` of a tree, and where a task ends whose children are to end with it; `felled` removes.
        """
        return f"{self._prefix}:felling"

    # -- one task -------------------------------------------------------------------------------

    def task(self, id: str) -> str:
        """HASH of one task; expires its `keep` after the end, a failed one as a dead letter.

        Always: `st` state, `q` queue, `name`, `spec`, `mc` restarts allowed after a lost worker, `keep` ms,
        `submitted`. From the first start: `tok` token of the attempt (stays after the end, so that a repeated call is
        recognised), `att` attempts started, `started`. When it has a key: `key`. When it happened: `ret` retries used, `crash` workers lost,
        `unk` times given back for an unknown name, `origin` the dead letter it was revived from, `heir` the task it was
        revived as. Of a stop that was asked for: `stop` the reason, `by` whom, `then` what follows at `until` (ms).
        Of messages: `in` / `ib` received / acknowledged, `ibx` those acknowledged beyond, `ck` in how many steps, `on`
        sent; `s:<sender>` the last of a sender (of messages, or of questions), its number there and among all; `asked` the
        last question which of them the task has taken, `seen` the last answer. Of questions put to it: `qn` how many
        ever, `qo` / `qa` the numbers of those that wait / that are answered and not fetched, `q:<n>` / `a:<n>` one of
        these, its answer. Of its own question: `pn` how many ever, `pq` the last one while it stands, `pb` token of the
        attempt that asks it and its number there, `pa` the answer, `pi` the name of that answer, `pw` whose it is. Of a
        pause: `pz` when (ms) and by whom it was asked to, `pd` token of the attempt that stands still, `pt` by whom, when all that it spawns is to pause, too, `pl` the names of
        the last calls. `od` counts all that it was ever to attend to: questions, an answer, a pause. Of its last checkpoint: `cp` the state, `cb` workers lost by then.
        Of its family: `parent`, `cn` how many children it has ever spawned, `c:<n>` each of them, `kin` what becomes of
        them when it ends, `tree` the wish to stop all below it: from then on it spawns nothing; `fell` how often it was
        put into `felling`.
        When it reported: `pr` its progress, `lg` log lines ever kept, `l:<place>` one of them (the last ones are there:
        fields, and no list, so that they need no end of their own), `rp` token and number of the last report. At the
        end: `ended`, and `res` or `exc` (of a stopped task a word on how it was stopped; a retry leaves its error there,
        too).

        Also a CHANNEL: `running`, `queued` (again), `out` (something in the outbox), `room` (again, in the inbox),
        `seen` (which messages it has taken), `answered` (a question), `asks` (it asks, or asks no more, or has the
        answer), `pausing`, `paused`, `resumed`, `report` (progress, or lines), or the final state, followed by a blank and the value when
        that is short.
        """
        return f"{self._prefix}:t:{id}"

    def inbox(self, id: str) -> str:
        """LIST of the messages to a task, from the first on that it has not acknowledged; deleted at its end."""
        return f"{self.task(id)}:in"

    def outbox(self, id: str) -> str:
        """LIST of the last messages from a task; expires with it."""
        return f"{self.task(id)}:out"

    def events(self, id: str) -> str:
        """LIST of `ms word detail`, capped: what was not plain in a task's life. Expires with it."""
        return f"{self.task(id)}:events"

    # -- workers --------------------------------------------------------------------------------

    def lease(self) -> str:
        """ZSET of worker ids by the end of their lease; 0 means declared lost, for good."""
        return f"{self._prefix}:lease"

    def held(self, wid: str) -> str:
        """HASH of task id -> token of the claim; field `#` is the number of the last claim.

        Lives from `join` until `lose` finds it empty; while it exists, the worker is in `lease`.
        """
        return f"{self._prefix}:held:{wid}"

    def worker(self, wid: str) -> str:
        """STRING of what a worker says of itself, for people; then a gravestone `dead`. Both expire.

        Also a CHANNEL: `id received` when a task of this worker has mail, behind it ` mail` and the last message when that
        is short, ` stop` and the wish when it is to stop, ` order` and how many orders there ever were when there is
        something to attend to (`orders` says what), or ` seen` and the number of a question when somebody wants to know
        what it has taken; `received` counts all messages ever sent to the task.
        """
        return f"{self._prefix}:w:{wid}"

    # -- the namespace --------------------------------------------------------------------------

    def meta(self) -> str:
        """HASH: `version` and `lease` that all workers agree on; `swept` and `hold`, the guard against outages.

        And `shards`, into how many the namespace is cut. What all agree on stands in the `meta` of the namespace, the
        guard in that of each shard.
        """
        return f"{self._prefix}:meta"
