-- write into how many shards a namespace is cut, unless that is decided
-- KEYS: meta, queues
-- ARGV: number of shards
-- returns: the number that stands there
local meta, queues = unpack(KEYS)
redis.call('HDEL', meta, '') -- a no-op, see agree
local known = redis.call('HGET', meta, 'shards')
if known then return tonumber(known) end
local count = ARGV[1]
-- tasks or workers that were here before anybody spoke of shards know nothing of them
if redis.call('HEXISTS', meta, 'version') == 1 or redis.call('EXISTS', queues) == 1 then count = '1' end
redis.call('HSET', meta, 'shards', count)
return tonumber(count)
