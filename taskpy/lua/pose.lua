-- a task asks whoever is there: its question stands until it is answered, withdrawn, or another one is asked
-- A question that an earlier attempt has asked goes on, with its answer where there is one.
-- KEYS: task
-- ARGV: token, number of the question in this attempt, question
-- returns: 0 fenced, or {number of the question in the life of the task}, with the answer where it has one
local task, token, count, question = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local state, current, number, known, posed_by, answer =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'pn', 'pq', 'pb', 'pa'))
if state ~= 'running' or current ~= token then return 0 end
number = tonumber(number or 0)
local by, last = string.match(posed_by or '', '^(.*) (%d+)$')
if by == token and tonumber(last) > count then return 0 end -- a late copy: this attempt has asked something else since
if not (by == token and tonumber(last) == count) then
  redis.call('HDEL', task, '') -- a no-op, see agree
  if by == token or known ~= question then
    number = number + 1
    redis.call('HDEL', task, 'pa', 'pi', 'pw')
    answer = nil
  end
  redis.call('HSET', task, 'pn', number, 'pq', question, 'pb', token .. ' ' .. count)
  redis.call('PUBLISH', task, 'asks')
end
return answer and { number, answer } or { number }
