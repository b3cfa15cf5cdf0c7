-- take up to so many ids from the queues, in their order; nothing from those that are paused
-- KEYS: held, paused, (queue, bell)...
-- ARGV: number of the claim, how many, token, then the names of the queues
-- returns: the ids, or 0: refused (not known, declared lost, or a late copy of an earlier claim)
-- needs: ring
local held, paused = KEYS[1], KEYS[2]
local number, wanted, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local last = tonumber(redis.call('HGET', held, '#'))
local ids = {}
if not last or number < last then return 0 end
if number == last then -- the answer of this very claim was lost: the same ids again
  local all = redis.call('HGETALL', held)
  for i = 1, #all, 2 do
    if all[i + 1] == token then ids[#ids + 1] = all[i] end
  end
  return ids
end
local fields, seen = { '#', ARGV[1] }, {}
local since = redis.call('HMGET', paused, unpack(ARGV, 4))
for i = 3, #KEYS, 2 do
  local queue, bell = KEYS[i], KEYS[i + 1]
  if since[(i - 1) / 2] then
    redis.call('DEL', bell) -- nobody else shall come for it; `resume` rings
  else
    local asked = wanted - #ids
    local popped = redis.call('RPOP', queue, asked) or {}
    for _, id in ipairs(popped) do
      -- twice in one claim, it would start twice under one token; and what is no id ('#'!) must not get into `held`
      if not seen[id] and #id <= 64 and string.find(id, '^[%w_][%w_-]*$') then
        seen[id] = true
        ids[#ids + 1] = id
        fields[#fields + 1] = id
        fields[#fields + 1] = token
      end
    end
    -- work may be left here: wake the next idle worker
    local next_one = #popped == asked and redis.call('LINDEX', queue, -1)
    if next_one then ring(bell, next_one) end
    if #ids >= wanted then break end
  end
end
redis.call('HSET', held, unpack(fields))
return ids
