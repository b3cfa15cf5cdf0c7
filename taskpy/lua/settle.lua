-- end tasks, any number of one worker
-- KEYS: held, dead, keyed, behind, later, felling, (task, inbox, outbox, events, recent)...
-- ARGV: keep ms of dead letters, then per task: id, token, state, result or exception, keep ms ('' = as submitted),
--   messages it has taken as text ('' = none were sent)
-- returns: per task 1 ended so (now or before), 0 fenced
-- needs: now, unhold, finish
local held, dead, keyed, behind, later, felling = unpack(KEYS, 1, 6)
local keep_dead, time = tonumber(ARGV[1]), now()
local answers, ends, over = {}, {}, { '' }
for n = 1, (#KEYS - 6) / 5 do
  local task, inbox, outbox, events, recent = unpack(KEYS, 5 * n + 2, 5 * n + 6)
  local id, token = ARGV[6 * n - 4], ARGV[6 * n - 3]
  local values = redis.call('HMGET', task, 'st', 'tok', unpack(LASTING))
  local state, current = unpack(values, 1, 2)
  if ends[task] then
    answers[n] = 1 -- twice in one call
  elseif state == 'running' and current == token then
    answers[n], ends[task], over[#over + 1] = 1, true, id
    ends[#ends + 1] = {
      n = n, values = values, task = task, inbox = inbox, outbox = outbox, events = events, recent = recent,
      dead = dead, keyed = keyed, behind = behind, later = later, felling = felling,
    }
  else
    answers[n] = current == token and state ~= 'queued' and 1 or 0 -- an ended task keeps its token
    -- queued under this very claim: a failover has lost its start. It stays claimed, and is given back as lost track of
    if state ~= 'queued' then unhold(held, id, token, state, current) end
  end
end
redis.call('HDEL', held, unpack(over)) -- the first write frees memory, so it works at maxmemory
local ended = {} -- by the list in which they are noted: one call for all of them
for _, keys in ipairs(ends) do
  local id, _, ending, value, keep_now, taken = unpack(ARGV, 6 * keys.n - 4, 6 * keys.n + 1)
  local used = { unpack(keys.values, 3, 8) }
  if keep_now ~= '' then
    used[1] = keep_now
    redis.call('HSET', keys.task, 'keep', keep_now)
  end
  if taken ~= '' then redis.call('HSET', keys.task, 'seen', 'end ' .. taken) end
  finish(keys, id, ending, value, used, keep_dead, time)
  ended[keys.recent] = ended[keys.recent] or {}
  table.insert(ended[keys.recent], id)
end
for recent, ids in pairs(ended) do
  redis.call('LPUSH', recent, unpack(ids))
  redis.call('LTRIM', recent, 0, 999)
end
return answers
