-- which queues are paused, and since when; reads only
-- KEYS: paused
-- ARGV: none
-- returns: {queue, ms, queue, ms, ...}
local paused = KEYS[1]
return redis.call('HGETALL', paused)
