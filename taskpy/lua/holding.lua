-- a page of what workers hold, claimed or running; reads only
-- KEYS: (held)...
-- ARGV: how many to skip, how many to give
-- returns: the ids
local skip, wanted, ids = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for _, held in ipairs(KEYS) do
  local size = redis.call('HLEN', held) - 1 -- without the number of the last claim
  if size <= skip then
    skip = skip - math.max(0, size)
  else
    for _, id in ipairs(redis.call('HKEYS', held)) do
      if id ~= '#' and skip > 0 then
        skip = skip - 1
      elseif id ~= '#' and #ids < wanted then
        ids[#ids + 1] = id
      end
    end
  end
  if #ids >= wanted then break end
end
return ids
