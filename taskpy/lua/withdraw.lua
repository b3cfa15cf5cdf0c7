-- a task waits no longer for an answer to its question; one that has come already counts
-- KEYS: task
-- ARGV: token, number of the question in the life of the task
-- returns: 0 fenced, 1 withdrawn, or {the answer}
local task, token, number = KEYS[1], ARGV[1], ARGV[2]
local state, current, last, answer = unpack(redis.call('HMGET', task, 'st', 'tok', 'pn', 'pa'))
if state ~= 'running' or current ~= token then return 0 end
if last ~= number then return 1 end -- a late copy
if answer then return { answer } end
redis.call('HDEL', task, 'pq')
redis.call('PUBLISH', task, 'asks')
return 1
