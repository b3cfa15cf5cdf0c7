-- what all of a namespace agree on, and what time it is there; reads only
-- KEYS: meta
-- ARGV: none
-- returns: {{version or nil, lease ms or nil, shards or nil}, ms}
-- needs: now
local meta = KEYS[1]
return { redis.call('HMGET', meta, 'version', 'lease', 'shards'), now() }
