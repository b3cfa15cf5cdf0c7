-- take a task by its id, which another system has handed out, and start it: claim and start in one step
-- KEYS: held, task, queue, later
-- ARGV: id, number of the claim, token, restarts
-- returns: as a row of `start`; or its state, 'unknown', 'refused' (not known, declared lost) or 'again' (a late copy)
-- needs: now, brief
local held, task, queue, later = unpack(KEYS)
local id, number, token, restarts = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local last = tonumber(redis.call('HGET', held, '#'))
if not last or last >= 9007199254740991 then return 'refused' end
local values = redis.call('HMGET', task, 'st', 'tok', 'att', unpack(BRIEF))
local state, current, attempts = unpack(values, 1, 3)
if not state then return 'unknown' end
if number > last then
  redis.call('ZREM', later, id) -- also the first write, see agree
  redis.call('LREM', queue, -1, id) -- from the end that is served next: that is where it mostly stands
  redis.call('HSET', held, '#', number)
  if state ~= 'queued' then return state end
  attempts = (tonumber(attempts) or 0) + 1
  redis.call('HSET', held, id, token)
  redis.call(
    'HSET', task, 'st', 'running', 'tok', token, 'att', attempts, 'started', now(), 'mc', restarts
  )
  redis.call('PUBLISH', task, 'running')
elseif not (state == 'running' and current == token) then
  return 'again'
end
return brief({ unpack(values, 4, 20) }, attempts, now())
