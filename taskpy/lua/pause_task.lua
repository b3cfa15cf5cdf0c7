-- ask a task to pause at its next safe point
-- KEYS: task, events
-- ARGV: id, prefix of the workers' channels, by whom, name of this call, 'tree' when what it spawns is to pause, too
-- returns: 'paused' (it stands there), 'pausing', 'unknown', or the final state
-- needs: now, note, order, remembered
local task, events = unpack(KEYS)
local id, prefix, by, name, tree = unpack(ARGV)
local state, token, received, since, parked, last, stop =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'pz', 'pd', 'pl', 'stop'))
if not state then return 'unknown' end
if state ~= 'queued' and state ~= 'running' then return state end
redis.call('HDEL', task, '') -- a no-op, see agree
last = remembered(last, name)
if last then redis.call('HSET', task, 'pl', last) end -- also where it changes nothing: a late copy must not, either
if last and tree == 'tree' then redis.call('HSET', task, 'pt', by) end
if last and not since then
  redis.call('HSET', task, 'pz', now() .. ' ' .. by)
  note(events, 'pause', by)
  order(task, prefix, id, state, token, received)
  redis.call('PUBLISH', task, 'pausing')
end
return state == 'running' and parked == token and not stop and 'paused' or 'pausing'
