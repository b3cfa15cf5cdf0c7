-- claim from a queue again; whoever is idle shall come for what waits there
-- KEYS: paused, queue, bell
-- ARGV: name of the queue
-- returns: 0
-- needs: ring
local paused, queue, bell = unpack(KEYS)
redis.call('HDEL', paused, ARGV[1])
if redis.call('LLEN', queue) > 0 then ring(bell) end
return 0
