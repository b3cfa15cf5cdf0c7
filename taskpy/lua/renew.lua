-- prolong the lease of a worker; costs the same however many tasks it runs
-- KEYS: lease, worker
-- ARGV: wid, lease ms, info ('' = leave the last one)
-- returns: 1, or 0: not known or declared lost, for good (replace the process)
-- needs: now, prolong
local lease, worker = unpack(KEYS)
local wid, length, info = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local known = prolong(lease, worker, wid, length, now())
if known == 1 and info ~= '' then redis.call('SET', worker, info, 'PX', length * 4) end
return known
