-- let a task that was asked to pause go on
-- KEYS: task, events
-- ARGV: id, prefix of the workers' channels, by whom, name of this call
-- returns: its state, or 'unknown'
-- needs: note, order, remembered
local task, events = unpack(KEYS)
local id, prefix, by, name = unpack(ARGV)
local state, token, received, since, last = unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'pz', 'pl'))
if not state then return 'unknown' end
last = remembered(last, name)
if last and since and (state == 'queued' or state == 'running') then
  redis.call('HDEL', task, 'pz', 'pd') -- also the first write, see agree
  redis.call('HSET', task, 'pl', last)
  note(events, 'resume', by)
  order(task, prefix, id, state, token, received)
  redis.call('PUBLISH', task, 'resumed')
end
return state
