-- ask a task to stop; one that waits in its queue is stopped at once, and its entry there is dropped by `start`
-- KEYS: task, inbox, outbox, events, recent, later, felling
-- ARGV: id, prefix of the workers' channels, reason, by whom, what follows if it does not end ('', raise, kill), in ms,
--   'tree' when all below it are to stop, too: from then on it spawns nothing, and they are in `felling`
-- returns: 'unknown', 'stopping', or the final state
-- needs: owner, note, wish, finish, fell, uproot
local task, inbox, outbox, events, recent, later, felling = unpack(KEYS)
local id, prefix, reason, by, follows, grace, tree = unpack(ARGV)
local values = redis.call('HMGET', task, 'st', 'tok', 'stop', 'by', 'then', 'until', unpack(LASTING))
local state, token, asked, asked_by, known, deadline = unpack(values, 1, 6)
if not state then return 'unknown' end
redis.call('ZREM', later, id) -- also the first write, see agree
if tree == 'tree' then
  local known_tree, children = unpack(redis.call('HMGET', task, 'tree', 'cn'))
  local wanted = uproot(known_tree, now(), reason, by, follows, grace)
  if wanted ~= known_tree then -- else it is a repeated call, or asks for no more than is wanted already
    redis.call('HSET', task, 'tree', wanted)
    if children then fell(task, felling, id, now()) end
  end
end
if state ~= 'queued' and state ~= 'running' then return state end
if not asked then
  asked, asked_by = reason, by
  redis.call('HSET', task, 'stop', reason, 'by', by)
  note(events, 'stop', reason)
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
local keys = { task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, felling = felling }
finish(keys, id, 'stopped', 'stopped in its queue', { unpack(values, 7, 11) })
return 'stopped'
