-- claim nothing more from a queue until it is resumed
-- KEYS: paused
-- ARGV: name of the queue
-- returns: since when it is paused, in ms
-- needs: now
local paused = KEYS[1]
redis.call('HDEL', paused, '') -- a no-op, see agree
redis.call('HSETNX', paused, ARGV[1], now())
return redis.call('HGET', paused, ARGV[1])
