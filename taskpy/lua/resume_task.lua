-- let a task that was asked to pause go on
-- KEYS: task, events
-- ARGV: id, prefix of the workers' channels, by whom, name of this call
-- returns: its state, or 'unknown'
-- needs: note, order, remembered
local task, events = unpack(KEYS)
local id, prefix, by, name = unpack(ARGV)
local state, token, received, since, last = unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'pz', 'pl'))
if not state then return 'unknown' end
if state ~= 'queued' and state ~= 'running' then return state end
last = remembered(last, name)
if not last then return state end
redis.call('HDEL', task, 'pz', 'pd', 'pt') -- also the first write, see agree
redis.call('HSET', task, 'pl', last) -- also where it changes nothing: a late copy must not, either
if since then
  note(events, 'resume', by)
  order(task, prefix, id, state, token, received)
  redis.call('PUBLISH', task, 'resumed')
end
return state
