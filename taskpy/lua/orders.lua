-- what a running attempt is to attend to; writes nothing
-- KEYS: task
-- ARGV: token, number of the last question that it knows, how many questions at most
-- returns: 0 fenced, or {orders ever, since when and by whom it is to pause ('': it is not), number of its own question
--   that was answered (0: none), the answer, then of questions put to it: number, question}
-- needs: numbers
local task, token, known, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local state, current, given, pause, open, number, posed_by, answer =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'od', 'pz', 'qo', 'pn', 'pb', 'pa'))
if state ~= 'running' or current ~= token then return 0 end
local mine = answer and string.match(posed_by or '', '^(.*) %d+$') == token
local answers = { tonumber(given or 0) or 0, pause or '', mine and tonumber(number) or 0, mine and answer or '' }
for _, asked in ipairs(numbers(open)) do
  if tonumber(asked) > known and #answers < 4 + 2 * most then
    answers[#answers + 1] = tonumber(asked)
    answers[#answers + 1] = redis.call('HGET', task, 'q:' .. asked) or ''
  end
end
return answers
