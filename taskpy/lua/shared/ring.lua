-- ring a queue's bell, which wakes one idle worker; at most one ring waits
local function ring(bell)
  if redis.call('LLEN', bell) == 0 then redis.call('LPUSH', bell, '1') end
end
