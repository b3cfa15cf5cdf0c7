-- ring a queue's bell, which wakes one idle worker; at most one ring waits
-- `id`: which task it rings for, as far as is known; a hint, by which a worker may start it as it claims it
local function ring(bell, id)
  if redis.call('LLEN', bell) == 0 then redis.call('LPUSH', bell, id or '') end
end
