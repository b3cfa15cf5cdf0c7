-- answer the question that a task asks; the first answer counts
-- KEYS: task
-- ARGV: id, prefix of the workers' channels, number of the question, answer, name of this answer, by whom
-- returns: 'accepted' (now or before), 'answered' (by another one), 'none' (it does not ask this, any more), 'unknown',
--   or the final state
-- needs: order
local task = KEYS[1]
local id, prefix, number, answer, name, by = unpack(ARGV)
local state, token, received, asked, question, answered, known =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'in', 'pn', 'pq', 'pa', 'pi'))
if not state then return 'unknown' end
if asked == number and known == name then return 'accepted' end
if state ~= 'queued' and state ~= 'running' then return state end
if asked ~= number or not question then return 'none' end
if answered then return 'answered' end
redis.call('HDEL', task, '') -- a no-op, see agree
redis.call('HSET', task, 'pa', answer, 'pi', name, 'pw', by)
order(task, prefix, id, state, token, received)
redis.call('PUBLISH', task, 'asks')
return 'accepted'
