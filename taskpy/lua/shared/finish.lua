-- end a task, for good; the caller has made the first write
-- keys: {task, inbox, outbox, events, recent, dead}; `dead` only where a task may fail
-- keep, keep_dead: ms, a failed task is kept for the longer one; received, sent: false when it never used that list
-- needs: now
local function finish(keys, id, state, value, keep, received, sent, keep_dead)
  local ended = now()
  local lifetime = tonumber(keep)
  if state == 'failed' then
    lifetime = math.max(lifetime, keep_dead)
    redis.call('ZADD', keys.dead, ended, id)
  end
  redis.call('HSET', keys.task, 'st', state, state == 'succeeded' and 'res' or 'exc', value, 'ended', ended)
  if received then redis.call('DEL', keys.inbox) end
  if sent then redis.call('PEXPIRE', keys.outbox, lifetime) end
  redis.call('PEXPIRE', keys.events, lifetime)
  redis.call('PEXPIRE', keys.task, lifetime)
  redis.call('LPUSH', keys.recent, id)
  redis.call('LTRIM', keys.recent, 0, 999)
  -- a waiter who subscribed, then read the state once, needs no second read when the value is short
  redis.call('PUBLISH', keys.task, #value <= 1024 and state .. ' ' .. value or state)
end
