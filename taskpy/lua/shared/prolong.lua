-- prolong the lease of a worker; 0 when it is not known or was declared lost
local function prolong(lease, worker, wid, length, time)
  if tonumber(redis.call('ZSCORE', lease, wid) or 0) == 0 then return 0 end
  redis.call('ZREM', lease, '') -- a no-op, see agree
  redis.call('ZADD', lease, time + length, wid)
  redis.call('PEXPIRE', worker, length * 4)
  return 1
end
