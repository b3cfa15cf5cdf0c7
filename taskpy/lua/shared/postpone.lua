-- put an id aside until its time has come; promoters that sleep until a later time are woken
-- needs: now
local function postpone(later, id, delay)
  redis.call('ZADD', later, now() + delay, id)
  if redis.call('ZRANGE', later, 0, 0)[1] == id then redis.call('PUBLISH', later, delay) end
end
