-- answer which messages the task has taken
-- KEYS: task
-- ARGV: token, number of the question, the messages as text
-- returns: 1, or 0: fenced
local task = KEYS[1]
local state, current, seen = unpack(redis.call('HMGET', task, 'st', 'tok', 'seen'))
if state ~= 'running' or current ~= ARGV[1] then return 0 end
local last = tonumber(string.match(seen or '', '^%d+') or 0)
if last > tonumber(ARGV[2]) then return 1 end -- a late copy of an older answer
redis.call('HDEL', task, '') -- a no-op, see agree
redis.call('HSET', task, 'seen', ARGV[2] .. ' ' .. ARGV[3])
redis.call('PUBLISH', task, 'seen')
return 1
