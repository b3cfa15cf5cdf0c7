-- the time by the clock of Redis, the only one that decisions use, in ms
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
