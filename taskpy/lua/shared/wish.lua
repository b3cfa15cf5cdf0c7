-- a stop that was asked for, as a worker is told of it: what follows ('-': nothing), in how many ms, by whom, why
-- answers '' when none was
local function wish(time, reason, by, follows, deadline)
  if not reason then return '' end
  by = by and by ~= '' and by or '-'
  return (follows or '-') .. ' ' .. math.max(0, (tonumber(deadline) or time) - time) .. ' ' .. by .. ' ' .. reason
end
