-- a worker asks about its running tasks; reads only
-- KEYS: held, (task)...
-- ARGV: token per task
-- returns: {ids held (-1: declared lost), per task 0 lost / 1 well / 2 to stop, plus 4 x messages ever received}
local held = KEYS[1]
local last = tonumber(redis.call('HGET', held, '#'))
local answers = { last and last < 9007199254740991 and redis.call('HLEN', held) - 1 or -1 }
for i, token in ipairs(ARGV) do
  local task = KEYS[i + 1]
  local state, current, stop, received = unpack(redis.call('HMGET', task, 'st', 'tok', 'stop', 'in'))
  local mine = state == 'running' and current == token
  answers[i + 1] = mine and (stop and 2 or 1) + 4 * (received or 0) or 0
end
return answers
