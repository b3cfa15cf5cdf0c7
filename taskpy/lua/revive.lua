-- submit the spec of a dead letter as a new task; the old one stays as it is, and each knows the other
-- KEYS: task, events, heir, queue, bell, dead
-- ARGV: id, id of the new task
-- returns: 'new' (now or before), 'unknown', the state of a task that has not failed, 'revived' as another, 'taken' id
-- needs: now, ready, note
local task, events, heir, queue, bell, dead = unpack(KEYS)
local id, new_id = ARGV[1], ARGV[2]
local state, queue_name, name, spec, restarts, keep, revived_as =
  unpack(redis.call('HMGET', task, 'st', 'q', 'name', 'spec', 'mc', 'keep', 'heir'))
if not state then return 'unknown' end
if state ~= 'failed' then return state end
if revived_as then return revived_as == new_id and 'new' or 'revived' end
if redis.call('EXISTS', heir) == 1 then return 'taken' end
redis.call(
  'HSET', heir, 'st', 'queued', 'q', queue_name, 'name', name, 'spec', spec, 'mc', restarts, 'keep', keep,
  'submitted', now(), 'origin', id
)
ready(queue, bell, new_id, false)
redis.call('HSET', task, 'heir', new_id)
redis.call('ZREM', dead, id)
note(events, 'revive', new_id)
redis.call('PEXPIRE', events, math.max(1, redis.call('PTTL', task))) -- this may have been the first event
return 'new'
