-- ring the bell of a queue that is not empty
-- KEYS: queue, bell
-- ARGV: none
-- returns: 0
-- needs: ring
local queue, bell = unpack(KEYS)
redis.call('LTRIM', bell, 0, 0) -- a no-op, see agree
local next_one = redis.call('LINDEX', queue, -1)
if next_one then ring(bell, next_one) end
return 0
