-- start claimed tasks, any number of one claim
-- KEYS: held, (task)...
-- ARGV: token, then the ids
-- returns: per id {queue, spec, attempts, retries, unknowns, lost, acknowledged, received, sent, stop?}, or 0: not mine
-- needs: now, unhold
local held, token = KEYS[1], ARGV[1]
local ids, answers, started = { unpack(ARGV, 2) }, {}, now()
local claimed = redis.call('HMGET', held, '#', unpack(ids))
local closed = not claimed[1] or tonumber(claimed[1]) >= 9007199254740991 -- this worker was declared lost
redis.call('HDEL', held, '') -- a no-op, see agree
for i, id in ipairs(ids) do
  local task = KEYS[i + 1]
  local state, current, queue, spec, attempts, retries, unknowns, lost, acknowledged, received, sent, stop =
    unpack(redis.call('HMGET', task, 'st', 'tok', 'q', 'spec', 'att', 'ret', 'unk', 'crash', 'ib', 'in', 'on', 'stop'))
  local mine = not closed and claimed[i + 1] == token
  if mine and state == 'queued' then
    attempts = (attempts or 0) + 1
    redis.call('HSET', task, 'st', 'running', 'tok', token, 'att', attempts, 'started', started)
    redis.call('PUBLISH', task, 'running')
  elseif mine and not (state == 'running' and current == token) then -- ended, or a second entry of the id in its queue
    mine = false
    unhold(held, id, token, state, current)
  end
  answers[i] = mine and {
    queue or '', spec or '', attempts, retries or 0, unknowns or 0, lost or 0,
    acknowledged or 0, received or 0, sent or 0, stop and 1 or 0,
  } or 0
end
return answers
