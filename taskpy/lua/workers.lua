-- what a list shows of workers; reads only
-- KEYS: lease, (worker, held)...
-- ARGV: the wids
-- returns: per wid {end of its lease or nil, info or nil, how many tasks it holds}
local lease, rows = KEYS[1], {}
for i, wid in ipairs(ARGV) do
  local worker, held = KEYS[2 * i], KEYS[2 * i + 1]
  rows[i] = {
    redis.call('ZSCORE', lease, wid),
    redis.call('GET', worker),
    math.max(0, redis.call('HLEN', held) - 1), -- without the number of the last claim
  }
end
return rows
