-- the wish to stop all below a task, as it is kept in it: what follows ('-': nothing), by when (ms), by whom, why
-- as with a stop, the first reason counts, and what follows only becomes stricter
local function uproot(known, time, reason, by, follows, grace)
  local before, deadline, asked_by, asked = string.match(known or '', '^(%S+) (%d+) (%S+) (.*)$')
  if not asked then before, deadline, asked_by, asked = '-', '0', by ~= '' and by or '-', reason end
  if follows == '' then return before .. ' ' .. deadline .. ' ' .. asked_by .. ' ' .. asked end
  local moment = time + grace
  if before ~= '-' then moment = math.min(moment, tonumber(deadline)) end
  follows = before == 'kill' and before or follows
  return follows .. ' ' .. string.format('%.0f', moment) .. ' ' .. asked_by .. ' ' .. asked
end
