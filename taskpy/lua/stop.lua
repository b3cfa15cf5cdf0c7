-- ask a task to stop; one that waits in its queue is stopped at once, and its entry there is dropped by `start`
-- KEYS: task, inbox, outbox, events, recent, keyed, behind, later, felling
-- ARGV: id, prefix of the workers' channels, reason, by whom, what follows if it does not end ('', raise, kill), in ms,
--   'tree' when all below it are to stop, too: from then on it spawns nothing, and they are in `felling`
-- returns: 'unknown', 'stopping', or the final state
-- needs: now, halt, fell, uproot
local task, inbox, outbox, events, recent, keyed, behind, later, felling = unpack(KEYS)
local id, prefix, reason, by, follows, grace, tree = unpack(ARGV)
local keys = {
  task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, keyed = keyed, behind = behind,
  later = later, felling = felling,
}
if tree == 'tree' and redis.call('EXISTS', task) == 1 then
  redis.call('ZREM', later, '') -- a no-op, see agree
  local known_tree, children = unpack(redis.call('HMGET', task, 'tree', 'cn'))
  local wanted = uproot(known_tree, now(), reason, by, follows, grace)
  if wanted ~= known_tree then -- else it is a repeated call, or asks for no more than is wanted already
    redis.call('HSET', task, 'tree', wanted)
    if children then fell(task, felling, id, now()) end
  end
end
return halt(keys, id, prefix, reason, by, follows, grace)
