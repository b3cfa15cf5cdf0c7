-- what a reader of a task's outbox sees in one step; reads only
-- KEYS: task, outbox
-- ARGV: place of the first message wanted, how many
-- returns: {state, messages ever sent, place of the first message here, messages}, or {} when there is no such task
local task, outbox = unpack(KEYS)
local wanted, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local state, sent = unpack(redis.call('HMGET', task, 'st', 'on'))
if not state then return {} end
sent = tonumber(sent or 0)
local oldest = sent - redis.call('LLEN', outbox)
local first = math.min(math.max(wanted, oldest), sent)
return { state, sent, first, redis.call('LRANGE', outbox, first - oldest, first - oldest + count - 1) }
