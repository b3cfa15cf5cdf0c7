-- drop dead letters; from here on they are kept as long as any other result
-- KEYS: dead, (task, outbox, events)...
-- ARGV: the ids
-- returns: how many of them were dead letters
local dead, forgotten = KEYS[1], 0
for i, id in ipairs(ARGV) do
  if redis.call('ZREM', dead, id) == 1 then
    local task, outbox, events = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1]
    local keep, ended = unpack(redis.call('HMGET', task, 'keep', 'ended'))
    if keep and ended then
      redis.call('PEXPIREAT', outbox, keep + ended)
      redis.call('PEXPIREAT', events, keep + ended)
      redis.call('PEXPIREAT', task, keep + ended)
    end
    forgotten = forgotten + 1
  end
end
return forgotten
