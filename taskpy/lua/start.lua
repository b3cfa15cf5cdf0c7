-- start claimed tasks, any number of one claim
-- KEYS: held, (task)...
-- ARGV: token, then the ids
-- returns: per id what `brief` answers, or 0: not mine
-- needs: now, unhold, brief
local held, token = KEYS[1], ARGV[1]
local ids, answers, started = { unpack(ARGV, 2) }, {}, now()
local claimed = redis.call('HMGET', held, '#', unpack(ids))
local closed = not claimed[1] or tonumber(claimed[1]) >= 9007199254740991 -- this worker was declared lost
redis.call('HDEL', held, '') -- a no-op, see agree
for i, id in ipairs(ids) do
  local task = KEYS[i + 1]
  local fresh = redis.call('HLEN', task) <= FRESH
  local values = redis.call('HMGET', task, 'st', 'tok', 'att', unpack(fresh and PLAIN or BRIEF))
  local state, current, attempts = unpack(values, 1, 3)
  local mine = not closed and claimed[i + 1] == token
  if mine and state == 'queued' then
    attempts = (tonumber(attempts) or 0) + 1
    redis.call('HSET', task, 'st', 'running', 'tok', token, 'att', attempts, 'started', started)
    redis.call('PUBLISH', task, 'running')
  elseif mine and not (state == 'running' and current == token) then -- ended, or a second entry of the id in its queue
    mine = false
    unhold(held, id, token, state, current)
  end
  if not mine then
    answers[i] = 0
  elseif fresh then
    answers[i] = { values[4] or '', values[5] or '', attempts }
  else
    answers[i] = brief({ unpack(values, 4, 20) }, attempts, started)
  end
end
return answers
