-- forget a question to a task, and its answer: whoever asked has it, or waits no longer
-- KEYS: task
-- ARGV: number of the question
-- returns: 1 it was open, 0 it was answered, or forgotten before
-- needs: without
local task, number = KEYS[1], ARGV[1]
redis.call('HDEL', task, 'q:' .. number, 'a:' .. number) -- also the first write, see agree
local open, answered = unpack(redis.call('HMGET', task, 'qo', 'qa'))
local still_open, still_answered = without(open, number), without(answered, number)
if still_answered then redis.call('HSET', task, 'qa', still_answered) end
if still_open then redis.call('HSET', task, 'qo', still_open) end
return still_open and 1 or 0
