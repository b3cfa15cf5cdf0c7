-- acknowledge messages and send messages, either or both, in one fenced step
-- KEYS: task, inbox, outbox
-- ARGV: token, messages of the inbox done with, messages of the outbox sent before, limit of the outbox, messages
-- returns: 1, or 0: fenced
local task, inbox, outbox = unpack(KEYS)
local token, done, before, limit, new = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), #ARGV - 4
local state, current, received, acknowledged, sent = unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'ib', 'on'))
if state ~= 'running' or current ~= token then return 0 end
received, acknowledged, sent = tonumber(received or 0), tonumber(acknowledged or 0), tonumber(sent or 0)
done = math.min(done, received) -- after a failover Redis may have forgotten messages that the task has seen
if done > acknowledged then
  redis.call('LTRIM', inbox, done - acknowledged, -1) -- the first write, so that it works at maxmemory
  redis.call('HSET', task, 'ib', done)
  redis.call('PUBLISH', task, 'room')
end
local known = math.max(0, sent - before) -- so many of these messages are there already: the call is a repeated one
if known < new then
  redis.call('RPUSH', outbox, unpack(ARGV, 5 + known))
  redis.call('HSET', task, 'on', before + new)
  redis.call('LTRIM', outbox, -limit, -1)
  redis.call('PUBLISH', task, 'out')
end
return 1
