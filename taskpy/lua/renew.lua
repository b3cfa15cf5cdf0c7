-- prolong the lease of a worker; costs the same however many tasks it runs
-- KEYS: lease, worker
-- ARGV: wid, lease ms, info ('' = leave the last one)
-- returns: 1, or 0: not known or declared lost, for good (replace the process)
-- needs: now
local lease, worker = unpack(KEYS)
local wid, length, info = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if tonumber(redis.call('ZSCORE', lease, wid) or 0) == 0 then return 0 end
redis.call('ZREM', lease, '') -- a no-op, see agree
redis.call('ZADD', lease, now() + length, wid)
if info ~= '' then redis.call('SET', worker, info, 'PX', length * 4) else redis.call('PEXPIRE', worker, length * 4) end
return 1
