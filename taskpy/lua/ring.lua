-- ring the bell of a queue that is not empty
-- KEYS: queue, bell
-- ARGV: none
-- returns: 0
-- needs: ring
local queue, bell = unpack(KEYS)
redis.call('LTRIM', bell, 0, 0) -- a no-op, see agree
if redis.call('LLEN', queue) > 0 then ring(bell) end
return 0
