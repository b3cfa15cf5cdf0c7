-- take a task that has ended out of the entry of its key; the one that waits for its end has its turn now
-- an entry of `keyed`: the id of the live task, and behind it, if one waits, the id of that one
-- needs: postpone
local function entry_of(keyed, key)
  return string.match(redis.call('HGET', keyed, key) or '', '^(%S+) ?(%S*)$')
end
local function vacate(keyed, behind, later, key, id)
  local live, successor = entry_of(keyed, key)
  if live == id and successor ~= '' then
    local due = redis.call('ZSCORE', behind, successor)
    redis.call('ZREM', behind, successor)
    redis.call('HSET', keyed, key, successor)
    postpone(later, successor, math.max(0, (due or 0) - now()))
  elseif live == id then
    redis.call('HDEL', keyed, key)
  elseif successor == id then
    redis.call('ZREM', behind, id)
    redis.call('HSET', keyed, key, live)
  end
end
