-- how many ids are in each queue; reads only
-- KEYS: (queue)...
-- ARGV: none
-- returns: per queue the number
local sizes = {}
for i, queue in ipairs(KEYS) do
  sizes[i] = redis.call('LLEN', queue)
end
return sizes
