-- a task that was asked to pause says that it stands still
-- KEYS: task
-- ARGV: token
-- returns: 1, 0 fenced, 2 it may go on: it was resumed meanwhile
local task, token = KEYS[1], ARGV[1]
local state, current, since, parked = unpack(redis.call('HMGET', task, 'st', 'tok', 'pz', 'pd'))
if state ~= 'running' or current ~= token then return 0 end
if not since then return 2 end
if parked ~= token then
  redis.call('HDEL', task, '') -- a no-op, see agree
  redis.call('HSET', task, 'pd', token)
  redis.call('PUBLISH', task, 'paused')
end
return 1
