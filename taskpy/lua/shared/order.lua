-- tell a task that there is something to attend to at its next safe point: see `orders`
-- needs: owner
local function order(task, prefix, id, state, token, received)
  local number = redis.call('HINCRBY', task, 'od', 1)
  if state == 'running' then
    redis.call('PUBLISH', prefix .. owner(token), id .. ' ' .. (received or 0) .. ' order ' .. number)
  end
end
