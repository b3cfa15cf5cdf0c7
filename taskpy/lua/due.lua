-- prolong leases; name silent workers, delayed tasks that are ripe, dead letters to drop, and trees to be stopped
-- the guard against outages lives here
-- KEYS: lease, later, meta, dead, felling, (worker)...
-- ARGV: lease ms, keep ms of dead letters, number of dead letters, (wid)...
-- returns: {wids, ids, ms to the next delayed task or -1, ids of dead letters, per wid what `renew` says,
--   ids in `felling` whose time has come}
-- needs: now, prolong
local lease, later, meta, dead, felling = unpack(KEYS, 1, 5)
local length, keep_dead, dead_count, time = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), now()
local guard = redis.call('HMGET', meta, 'swept', 'hold')
local swept, hold = tonumber(guard[1] or time), tonumber(guard[2] or 0)
redis.call('ZREM', lease, '') -- a no-op, see agree
-- Half a lease: sweeps come in each third of one, and an outage of two thirds ends leases that are a third old.
if time - swept > length / 2 or time < swept - 1000 then -- Redis was away or frozen, nobody swept, or its clock jumped:
  hold = time + length -- every worker gets one full lease to be heard again
  redis.call('HSET', meta, 'hold', hold)
  if time < swept then -- the clock went back: no lease may end later than a fresh one
    for _, wid in ipairs(redis.call('ZRANGEBYSCORE', lease, hold, '+inf', 'LIMIT', 0, 1000)) do
      redis.call('ZADD', lease, hold, wid)
    end
  end
end
redis.call('HSET', meta, 'swept', time)
local renewed = {}
for i = 4, #ARGV do -- before looking who is silent: who is heard at this moment is not
  local worker = KEYS[i + 2]
  renewed[i - 3] = prolong(lease, worker, ARGV[i], length, time)
end
-- a score of 0 is a worker declared lost whose tasks are not all given back: that does not wait for the guard
local lost = redis.call('ZRANGEBYSCORE', lease, '-inf', time >= hold and time or 0, 'LIMIT', 0, 100)
local ripe = redis.call('ZRANGEBYSCORE', later, '-inf', time, 'LIMIT', 0, 100)
local first = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')
local old = redis.call('ZCOUNT', dead, '-inf', time - keep_dead)
local surplus = math.min(math.max(old, redis.call('ZCARD', dead) - dead_count), 100)
return {
  lost,
  ripe,
  first[2] and math.max(0, first[2] - time) or -1,
  surplus > 0 and redis.call('ZRANGE', dead, 0, surplus - 1) or {},
  renewed,
  redis.call('ZRANGEBYSCORE', felling, '-inf', time, 'LIMIT', 0, 100),
}
