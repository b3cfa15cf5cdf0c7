-- make a new worker known; its supervisor calls this before it may claim
-- KEYS: lease, held, worker
-- ARGV: wid, lease ms, info
-- returns: 1, or 0: this wid was declared lost (take a new one)
-- needs: now
local lease, held, worker = unpack(KEYS)
local wid, length = ARGV[1], tonumber(ARGV[2])
if redis.call('GET', worker) == 'dead' or tonumber(redis.call('ZSCORE', lease, wid) or 1) == 0 then return 0 end
redis.call('ZREM', lease, '') -- a no-op, see agree
redis.call('ZADD', lease, now() + length, wid)
redis.call('HSETNX', held, '#', 0) -- number of the last claim; without it `claim` is refused
redis.call('SET', worker, ARGV[3], 'PX', length * 4)
return 1
