-- ask a task to stop; one that waits in its queue is stopped at once, and its entry there is dropped by `start`
-- KEYS: task, inbox, outbox, events, recent, later, keyed, behind
-- ARGV: id, prefix of the workers' channels, reason, by whom, what follows if it does not end ('', raise, kill), in ms
-- returns: 'unknown', 'stopping', or the final state
-- needs: halt
local task, inbox, outbox, events, recent, later, keyed, behind = unpack(KEYS)
local keys = {
  task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, keyed = keyed, behind = behind,
  later = later,
}
return halt(keys, unpack(ARGV, 1, 6))
