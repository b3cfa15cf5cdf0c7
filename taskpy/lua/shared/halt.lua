-- ask a task to stop; one that waits ends at once. Answers 'unknown', 'stopping', or the final state
-- keys: {task, inbox, outbox, events, recent, keyed, behind, later, felling}; prefix: of the workers' channels
-- follows: what follows if it does not end ('', raise, kill), in `grace` ms
-- needs: owner, note, wish, finish
local function halt(keys, id, prefix, reason, by, follows, grace)
  local task = keys.task
  local values = redis.call('HMGET', task, 'st', 'tok', 'stop', 'by', 'then', 'until', unpack(LASTING))
  local state, token, asked, asked_by, known, deadline = unpack(values, 1, 6)
  if not state then return 'unknown' end
  if state ~= 'queued' and state ~= 'running' then return state end
  redis.call('ZREM', keys.later, id) -- also the first write, see agree
  if not asked then
    asked, asked_by = reason, by
    redis.call('HSET', task, 'stop', reason, 'by', by)
    note(keys.events, 'stop', reason)
  end
  if state == 'running' then
    if follows ~= '' then -- asked again, it can only become stricter
      known = known == 'kill' and known or follows
      deadline = math.min(deadline or math.huge, now() + grace)
      redis.call('HSET', task, 'then', known, 'until', deadline)
    end
    local told = wish(now(), asked, asked_by, known, deadline)
    redis.call('PUBLISH', prefix .. owner(token), id .. ' ' .. (values[8] or 0) .. ' stop ' .. told)
    return 'stopping'
  end
  finish(keys, id, 'stopped', 'stopped in its queue', { unpack(values, 7, 12) })
  return 'stopped'
end
