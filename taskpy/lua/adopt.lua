-- fill in options that the submitter did not give
-- KEYS: task
-- ARGV: token, restarts, keep ms ('' = leave)
-- returns: 1, or 0: fenced
local task = KEYS[1]
local token, restarts, keep = ARGV[1], ARGV[2], ARGV[3]
local state, current = unpack(redis.call('HMGET', task, 'st', 'tok'))
if state ~= 'running' or current ~= token then return 0 end
redis.call('HDEL', task, '') -- a no-op, see agree
if restarts ~= '' then redis.call('HSET', task, 'mc', restarts) end
if keep ~= '' then redis.call('HSET', task, 'keep', keep) end
return 1
