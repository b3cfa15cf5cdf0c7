-- checkpoint, acknowledge messages, send messages: any of them, in one fenced step
-- KEYS: task, inbox, outbox
-- ARGV: token; number of this acknowledgement in the life of the task (0: none), all messages of the inbox done with up
--   to this one, those beyond it as text; '1' with the state or '0', '1 n' when it has the answer to its own question
--   of this number; the state; messages of the outbox sent before, limit of the outbox, then the messages to send
-- returns: 1, or 0: fenced
local task, inbox, outbox = unpack(KEYS)
local token, number, done, beyond, with_state = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] ~= '0'
local before, limit, new = tonumber(ARGV[7]), tonumber(ARGV[8]), #ARGV - 8
local state, current, received, acknowledged, sent, last, lost =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'ib', 'on', 'ck', 'crash'))
if state ~= 'running' or current ~= token then return 0 end
received, acknowledged, sent = tonumber(received or 0), tonumber(acknowledged or 0), tonumber(sent or 0)
if number > tonumber(last or 0) then -- else: none, or a repeated call or a late copy of one
  done = math.max(acknowledged, math.min(done, received)) -- after a failover Redis may have forgotten some
  redis.call('LTRIM', inbox, done - acknowledged, -1) -- the first write, so that it works at maxmemory
  redis.call('HSET', task, 'ck', number, 'ib', done, 'ibx', beyond)
  -- it has come further: only the workers that it loses from here on count against its restarts
  if with_state then redis.call('HSET', task, 'cp', ARGV[6], 'cb', lost or 0) end
  local settled = string.match(ARGV[5], '^1 (%d+)$')
  if settled and redis.call('HGET', task, 'pn') == settled then -- an attempt after this one asks anew
    redis.call('HDEL', task, 'pq', 'pa')
  end
  if done > acknowledged then redis.call('PUBLISH', task, 'room') end
end
local known = math.max(0, sent - before) -- so many of these messages are there already: the call is a repeated one
if known < new then
  redis.call('RPUSH', outbox, unpack(ARGV, 9 + known))
  redis.call('HSET', task, 'on', before + new)
  redis.call('LTRIM', outbox, -limit, -1)
  redis.call('PUBLISH', task, 'out')
end
return 1
