-- note that all below this task are to be stopped: whoever asks for it does it, or else, a little later, the sweep
-- `fell` counts how often that was noted, so that a late `felled` does not take a new entry for an old one
local FELL_AFTER = 1000 -- ms
local function fell(task, felling, id, time)
  redis.call('HINCRBY', task, 'fell', 1)
  redis.call('ZADD', felling, time + FELL_AFTER, id)
end
