-- end tasks, any number of one worker
-- KEYS: held, dead, keyed, behind, later, felling, (task, inbox, outbox, events, recent)...
-- ARGV: keep ms of dead letters, then per task: id, token, state, result or exception, keep ms ('' = as submitted),
--   messages it has taken as text ('' = none were sent)
-- returns: per task 1 ended so (now or before), 0 fenced
-- needs: unhold, finish
local held, dead, keyed, behind, later, felling = unpack(KEYS, 1, 6)
local keys = { dead = dead, keyed = keyed, behind = behind, later = later, felling = felling }
local keep_dead, answers = tonumber(ARGV[1]), {}
for n = 1, (#KEYS - 6) / 5 do
  local task, inbox, outbox, events, recent = unpack(KEYS, 5 * n + 2, 5 * n + 6)
  local id, token, ending, value, keep_now, taken = unpack(ARGV, 6 * n - 4, 6 * n + 1)
  local values = redis.call('HMGET', task, 'st', 'tok', unpack(LASTING))
  local state, current = unpack(values, 1, 2)
  local used = { unpack(values, 3, 8) }
  if state == 'running' and current == token then
    redis.call('HDEL', held, id) -- the first write frees memory, so it works at maxmemory
    if keep_now ~= '' then
      used[1] = keep_now
      redis.call('HSET', task, 'keep', keep_now)
    end
    if taken ~= '' then redis.call('HSET', task, 'seen', 'end ' .. taken) end
    keys.task, keys.inbox, keys.outbox, keys.events, keys.recent = task, inbox, outbox, events, recent
    finish(keys, id, ending, value, used, keep_dead)
    answers[n] = 1
  else
    answers[n] = current == token and state ~= 'queued' and 1 or 0 -- an ended task keeps its token
    -- queued under this very claim: a failover has lost its start. It stays claimed, and is given back as lost track of
    if state ~= 'queued' then unhold(held, id, token, state, current) end
  end
end
return answers
