-- a task answers questions that were put to it; those that nobody waits for any more are forgotten
-- KEYS: task
-- ARGV: token, how many answers are kept that nobody has fetched (the oldest go), then per answer: number of the
--   question, answer
-- returns: 1, or 0: fenced
-- needs: numbers, without
local task, token, limit = KEYS[1], ARGV[1], tonumber(ARGV[2])
local state, current, open, answered = unpack(redis.call('HMGET', task, 'st', 'tok', 'qo', 'qa'))
if state ~= 'running' or current ~= token then return 0 end
local all = numbers(answered)
for n = 3, #ARGV, 2 do
  local number, answer = ARGV[n], ARGV[n + 1]
  redis.call('HDEL', task, 'q:' .. number) -- also the first write, see agree
  local rest = without(open, number)
  if rest then -- else: answered before, or retracted
    open = rest
    all[#all + 1] = number
    -- whoever asked that one has gone, or is very slow: nobody shall fill the task with what is never fetched
    if #all > limit then redis.call('HDEL', task, 'a:' .. table.remove(all, 1)) end
    redis.call('HSET', task, 'qo', open, 'qa', table.concat(all, ' '), 'a:' .. number, answer)
  end
end
redis.call('PUBLISH', task, 'answered')
return 1
