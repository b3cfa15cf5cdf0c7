-- declare a worker lost, for good, and name what it holds; forget the worker when that is nothing
-- KEYS: lease, held, worker, meta
-- ARGV: wid, lease ms, sure (1: the caller saw its process end; 0: only its lease is over)
-- returns: the ids (none: nothing is left, forgotten), or 0: not lost
-- needs: now
local lease, held, worker, meta = unpack(KEYS)
local wid, length, sure = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local score = redis.call('ZSCORE', lease, wid)
local function bury() -- the gravestone keeps late calls from making it known again
  redis.call('SET', worker, 'dead', 'PX', length * 40)
end
if not score and redis.call('EXISTS', held) == 0 then -- forgotten, or its join is on the way and must not come
  redis.call('ZREM', lease, '') -- a no-op, see agree
  if sure then bury() end
  return {}
end
if score and tonumber(score) ~= 0 and not sure then -- only its silence speaks against it: look again, with the guard
  local time, guard = now(), redis.call('HMGET', meta, 'swept', 'hold')
  local held_up = time < tonumber(guard[2] or 0) or time - tonumber(guard[1] or 0) > length / 2 -- as in due
  if tonumber(score) > time or held_up then return 0 end
end
redis.call('ZREM', lease, '') -- a no-op, see agree
redis.call('ZADD', lease, 0, wid) -- from here on: no claim, no start, no renewal
redis.call('HSET', held, '#', '9007199254740991') -- higher than the number of any claim
local ids = {}
for _, id in ipairs(redis.call('HKEYS', held)) do
  if id ~= '#' then ids[#ids + 1] = id end
end
if #ids == 0 then
  redis.call('DEL', held)
  redis.call('ZREM', lease, wid)
  bury()
end
return ids
