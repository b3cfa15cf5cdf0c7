-- end a task, for good; the caller has made the first write
-- keys: {task, inbox, outbox, events, recent, keyed, behind, later, felling, dead}; `dead` only where a task may fail
-- used: the values of the fields in LASTING; keep_dead: ms, a failed task is kept for the longer of both
-- time: now, where the caller knows it, who then notes the end in `recent` himself: see `settle`
-- needs: now, fell, vacate
local DEFAULT_KEEP, LONGEST_KEEP = 3600000, 1e13 -- ms: KEEP_SECONDS of spec.py, and the most that ms() of op.py says
-- ms it is kept; whether it used inbox, outbox, checkpoints; its key; what becomes of its children, when it has any
local LASTING = { 'keep', 'in', 'on', 'ck', 'key', 'kin' }
local function finish(keys, id, state, value, used, keep_dead, time)
  local ended = time or now()
  local keep, received, sent, marked, key, kin = unpack(used, 1, 6)
  local lifetime = math.floor(tonumber(keep) or -1)
  -- whoever wrote garbage there, or nothing: the task must end all the same (what is no number is not >= 0 either)
  if not (lifetime >= 0 and lifetime <= LONGEST_KEEP) then lifetime = DEFAULT_KEEP end
  if state == 'failed' then
    lifetime = math.max(lifetime, keep_dead)
    redis.call('ZADD', keys.dead, ended, id)
  elseif marked then
    redis.call('HDEL', keys.task, 'cp') -- what has failed may be looked into, this has no use any more
  end
  -- one that succeeds has waited for them, where it was to
  if kin and kin ~= 'leave' and not (kin == 'wait' and state == 'succeeded') then
    fell(keys.task, keys.felling, id, ended)
    lifetime = math.max(lifetime, DEFAULT_KEEP) -- who its children are stands in it
  end
  redis.call('HSET', keys.task, 'st', state, state == 'succeeded' and 'res' or 'exc', value, 'ended', ended)
  if received then redis.call('DEL', keys.inbox) end
  if sent then redis.call('PEXPIRE', keys.outbox, lifetime) end
  redis.call('PEXPIRE', keys.events, lifetime)
  redis.call('PEXPIRE', keys.task, lifetime)
  if key then vacate(keys.keyed, keys.behind, keys.later, key, id) end
  if not time then
    redis.call('LPUSH', keys.recent, id)
    redis.call('LTRIM', keys.recent, 0, 999)
  end
  -- a waiter who subscribed, then read the state once, needs no second read when the value is short
  redis.call('PUBLISH', keys.task, #value <= 1024 and state .. ' ' .. value or state)
end
