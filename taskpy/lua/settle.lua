-- end tasks, any number of one worker
-- KEYS: held, dead, keyed, behind, later, felling, (task, inbox, outbox, events, recent)...
-- ARGV: keep ms of dead letters, then per task: id, token, state, result or exception, keep ms ('' = as submitted),
--   messages it has taken as text ('' = none were sent)
-- returns: per task 1 ended so (now or before), 0 fenced
-- needs: now, unhold, finish
local held, dead, keyed, behind, later, felling = unpack(KEYS, 1, 6)
local keep_dead, time = tonumber(ARGV[1]), now()
local answers, used, seen, over = {}, {}, {}, { '' }
local function task_of(n) return KEYS[5 * n + 2] end
local fields = { unpack(LASTING) }
fields[7], fields[8] = 'st', 'tok'
for n = 1, (#KEYS - 6) / 5 do
  local task, id, token = task_of(n), ARGV[6 * n - 4], ARGV[6 * n - 3]
  local values = redis.call('HMGET', task, unpack(fields))
  local state, current = values[7], values[8]
  if seen[task] then -- twice in one call
    answers[n] = 1
  elseif state == 'running' and current == token then
    answers[n], used[n], seen[task], over[#over + 1] = 1, values, true, id
  else
    answers[n] = current == token and state ~= 'queued' and 1 or 0 -- an ended task keeps its token
    -- queued under this very claim: a failover has lost its start. It stays claimed, and is given back as lost track of
    if state ~= 'queued' then unhold(held, id, token, state, current) end
  end
end
redis.call('HDEL', held, unpack(over)) -- the first write frees memory, so it works at maxmemory
local ended = {} -- by the list in which they are noted: one call for all of them
local keys = { dead = dead, keyed = keyed, behind = behind, later = later, felling = felling }
for n = 1, #answers do
  if used[n] then
    local id, _, ending, value, keep_now, taken = unpack(ARGV, 6 * n - 4, 6 * n + 1)
    local task, inbox, outbox, events, recent = unpack(KEYS, 5 * n + 2, 5 * n + 6)
    keys.task, keys.inbox, keys.outbox, keys.events, keys.recent = task, inbox, outbox, events, recent
    if keep_now ~= '' then
      used[n][1] = keep_now
      redis.call('HSET', task, 'keep', keep_now)
    end
    if taken ~= '' then redis.call('HSET', task, 'seen', 'end ' .. taken) end
    finish(keys, id, ending, value, used[n], keep_dead, time)
    ended[recent] = ended[recent] or {}
    table.insert(ended[recent], id)
  end
end
for recent, ids in pairs(ended) do
  redis.call('LPUSH', recent, unpack(ids))
  redis.call('LTRIM', recent, 0, 999)
end
return answers
