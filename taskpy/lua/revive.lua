-- submit the spec of a dead letter as a new task; the old one stays as it is, and each knows the other
-- KEYS: task, events, heir, queue, bell, dead, keyed, behind, later, answer, holder
-- ARGV: id, id of the new task, id of the task that is said to have the key ('': none)
-- returns: 'new' (now or before), 'unknown', the state of a task that has not failed, 'revived' as another, 'taken' id,
--   or 'keyed' and the id of the task that has its key
-- needs: now, ready, note, vacate
local task, events, heir, queue, bell, dead, keyed, behind, later, answer, holder = unpack(KEYS)
local id, new_id, holder_id = ARGV[1], ARGV[2], ARGV[3]
local state, queue_name, name, spec, restarts, keep, revived_as, key =
  unpack(redis.call('HMGET', task, 'st', 'q', 'name', 'spec', 'mc', 'keep', 'heir', 'key'))
if not state then return 'unknown' end
if state ~= 'failed' then return state end
local refused = redis.call('GET', answer)
if refused then return refused end
if revived_as then return revived_as == new_id and 'new' or 'revived' end
if redis.call('EXISTS', heir) == 1 then return 'taken' end
if key then
  local live, successor = entry_of(keyed, key)
  local its_state = live == holder_id and redis.call('HGET', holder, 'st')
  if live == holder_id and its_state ~= 'queued' and its_state ~= 'running' then -- gone, and nobody has said so
    vacate(keyed, behind, later, key, live)
    live, successor = entry_of(keyed, key)
  end
  if live then
    local said = 'keyed ' .. (successor ~= '' and successor or live)
    redis.call('SET', answer, said, 'PX', 600000) -- for copies of this call
    return said
  end
end
redis.call(
  'HSET', heir, 'st', 'queued', 'q', queue_name, 'name', name, 'spec', spec, 'mc', restarts, 'keep', keep,
  'submitted', now(), 'origin', id
)
if key then
  redis.call('HSET', heir, 'key', key)
  redis.call('HSET', keyed, key, new_id)
end
ready(queue, bell, new_id, false)
redis.call('HSET', task, 'heir', new_id)
redis.call('ZREM', dead, id)
note(events, 'revive', new_id)
redis.call('PEXPIRE', events, math.max(1, redis.call('PTTL', task))) -- this may have been the first event
return 'new'
