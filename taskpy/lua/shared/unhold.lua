-- take a claim out of `held`, never a newer claim of the same id; answers whether it was there
-- When the id stood twice in its queue, the claim of the second entry has overwritten that of an attempt that runs in
-- the same worker: then that one takes its place again, or nobody would know that the task runs there.
-- needs: owner
local function unhold(held, id, token, state, current)
  local there = redis.call('HGET', held, id) == token
  redis.call('HDEL', held, there and id or '') -- also the first write, see agree
  if there and state == 'running' and current ~= token and owner(current) == owner(token) then
    redis.call('HSET', held, id, current)
  end
  return there
end
