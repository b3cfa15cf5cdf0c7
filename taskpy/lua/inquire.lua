-- ask the worker of a running task which messages the task has taken; it answers in the field `seen`, by `seen.lua`
-- KEYS: task
-- ARGV: id, prefix of the workers' channels
-- returns: the number of the question, or 0: it does not run
-- needs: owner
local task = KEYS[1]
local state, token, received = unpack(redis.call('HMGET', task, 'st', 'tok', 'in'))
if state ~= 'running' then return 0 end
redis.call('HDEL', task, '') -- a no-op, see agree
local question = redis.call('HINCRBY', task, 'asked', 1)
redis.call('PUBLISH', ARGV[2] .. owner(token), ARGV[1] .. ' ' .. (received or 0) .. ' seen ' .. question)
return question
