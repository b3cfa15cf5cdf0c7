-- add to a task's events, for what is not plain in its life; whoever ends the task lets them expire
-- needs: now
local function note(events, word, detail)
  redis.call('RPUSH', events, now() .. ' ' .. word .. ' ' .. detail)
  redis.call('LTRIM', events, -100, -1)
end
