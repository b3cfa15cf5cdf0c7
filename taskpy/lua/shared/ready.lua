-- put an id into its queue; `first`: it is served next
-- needs: ring
local function ready(queue, bell, id, first)
  redis.call(first and 'RPUSH' or 'LPUSH', queue, id)
  ring(bell, id)
end
