-- a task that was asked to pause says that it stands still
-- KEYS: task
-- ARGV: token, orders that it knows
-- returns: 1, 0 fenced, 2 it was not asked to pause, or there is another order since: it has to look first
local task, token, known = KEYS[1], ARGV[1], ARGV[2]
local state, current, since, parked, orders = unpack(redis.call('HMGET', task, 'st', 'tok', 'pz', 'pd', 'od'))
if state ~= 'running' or current ~= token then return 0 end
if not since or orders ~= known then return 2 end -- a late copy, from before a resume, must not count for another pause
if parked ~= token then
  redis.call('HDEL', task, '') -- a no-op, see agree
  redis.call('HSET', task, 'pd', token)
  redis.call('PUBLISH', task, 'paused')
end
return 1
