-- end tasks, any number of one worker
-- KEYS: held, dead, (task, inbox, outbox, events, recent)...
-- ARGV: keep ms of dead letters, then per task: id, token, state, result or exception, keep ms ('' = as submitted)
-- returns: per task 1 ended so (now or before), 0 fenced
-- needs: unhold, finish
local held, dead, keep_dead = KEYS[1], KEYS[2], tonumber(ARGV[1])
local answers = {}
for n = 1, (#KEYS - 2) / 5 do
  local task, inbox, outbox, events, recent = unpack(KEYS, 5 * n - 2, 5 * n + 2)
  local id, token, ending, value, keep_now = unpack(ARGV, 5 * n - 3, 5 * n + 1)
  local state, current, keep, received, sent = unpack(redis.call('HMGET', task, 'st', 'tok', 'keep', 'in', 'on'))
  if state == 'running' and current == token then
    redis.call('HDEL', held, id) -- the first write frees memory, so it works at maxmemory
    if keep_now ~= '' then
      keep = keep_now
      redis.call('HSET', task, 'keep', keep)
    end
    local keys = { task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, dead = dead }
    finish(keys, id, ending, value, keep, received, sent, keep_dead)
    answers[n] = 1
  else
    answers[n] = current == token and state ~= 'queued' and 1 or 0 -- an ended task keeps its token
    unhold(held, id, token, state, current)
  end
end
return answers
