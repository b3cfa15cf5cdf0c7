-- a worker asks about its running tasks, and says something on its own channel; writes nothing
-- KEYS: held, worker, (task)...
-- ARGV: what it says ('' = nothing), then the token per task
-- returns: {ids held (-1: declared lost), then per task: -1 lost, or messages ever received, or {these, wish
--   to stop, orders ever}}
-- needs: now, wish
local held, worker = KEYS[1], KEYS[2]
local last = tonumber(redis.call('HGET', held, '#'))
local time, answers = now(), { last and last < 9007199254740991 and redis.call('HLEN', held) - 1 or -1 }
if ARGV[1] ~= '' then redis.call('PUBLISH', worker, ARGV[1]) end
for i = 1, #ARGV - 1 do
  local task, token = KEYS[i + 2], ARGV[i + 1]
  local values = redis.call('HMGET', task, 'st', 'tok', 'in', 'od', 'stop', 'by', 'then', 'until')
  local state, current, received, orders, stop = unpack(values, 1, 5)
  received = tonumber(received or 0)
  if state ~= 'running' or current ~= token then
    answers[i + 1] = -1
  else
    local more = stop or orders
    answers[i + 1] = more and { received, wish(time, unpack(values, 5, 8)), tonumber(orders or 0) or 0 } or received
  end
end
return answers
