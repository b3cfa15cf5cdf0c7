-- put a question to a task, which it answers at its next safe point
-- KEYS: task
-- ARGV: id, prefix of the workers' channels, sender, number of the question at this sender, question, how many may wait
--   for an answer
-- returns: its number among all questions to the task, 'full', 'unknown', or the final state
-- needs: numbers, order
local task = KEYS[1]
local id, prefix, sender, number, question, limit = unpack(ARGV)
local last_of = 's:' .. sender
local state, token, last, received, asked, open =
  unpack(redis.call('HMGET', task, 'st', 'tok', last_of, 'in', 'qn', 'qo'))
if not state then return 'unknown' end
local counted, known_as = string.match(last or '', '^(%d+) (%d+)$')
if tonumber(counted or 0) >= tonumber(number) then return tonumber(known_as) end -- accepted before
if state ~= 'queued' and state ~= 'running' then return state end
local all = numbers(open)
if #all >= tonumber(limit) then return 'full' end
asked = (asked or 0) + 1
all[#all + 1] = asked
redis.call(
  'HSET', task, last_of, number .. ' ' .. asked, 'qn', asked, 'qo', table.concat(all, ' '), 'q:' .. asked, question
)
order(task, prefix, id, state, token, received)
return asked
