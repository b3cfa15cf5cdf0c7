-- take a task that has ended out of the entry of its key; the one that waits for its end has its turn now
-- an entry of `keyed`: the id of the live task; behind it, if one waits, the id of that one and when it is due (ms)
-- needs: postpone
local function entry_of(keyed, key)
  return string.match(redis.call('HGET', keyed, key) or '', '^(%S+) ?(%S*) ?(%d*)$')
end
local function vacate(keyed, later, key, id)
  local live, successor, due = entry_of(keyed, key)
  if live == id and successor ~= '' then
    redis.call('HSET', keyed, key, successor)
    postpone(later, successor, math.max(0, (tonumber(due) or 0) - now()))
  elseif live == id then
    redis.call('HDEL', keyed, key)
  elseif successor == id then
    redis.call('HSET', keyed, key, live)
  end
end
