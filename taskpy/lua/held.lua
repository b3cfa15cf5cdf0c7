-- what a worker holds; reads only
-- KEYS: held
-- ARGV: none
-- returns: {'#', number of the last claim, id, token, ...}
local held = KEYS[1]
return redis.call('HGETALL', held)
