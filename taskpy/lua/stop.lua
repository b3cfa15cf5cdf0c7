-- ask a task to stop; one that waits in its queue is stopped at once, and its entry there is dropped by `start`
-- KEYS: task, inbox, outbox, events, recent, later
-- ARGV: id, prefix of the workers' channels, reason
-- returns: 'unknown', 'stopping', or the final state
-- needs: owner, note, finish
local task, inbox, outbox, events, recent, later = unpack(KEYS)
local id, prefix, reason = ARGV[1], ARGV[2], ARGV[3]
local state, token, asked, keep, received, sent =
  unpack(redis.call('HMGET', task, 'st', 'tok', 'stop', 'keep', 'in', 'on'))
if not state then return 'unknown' end
if state ~= 'queued' and state ~= 'running' then return state end
redis.call('ZREM', later, id) -- also the first write, see agree
if not asked then
  redis.call('HSET', task, 'stop', reason)
  note(events, 'stop', reason)
end
if state == 'running' then
  redis.call('PUBLISH', prefix .. owner(token), id .. ' ' .. (received or 0) .. ' stop')
  return 'stopping'
end
local keys = { task = task, inbox = inbox, outbox = outbox, events = events, recent = recent }
finish(keys, id, 'stopped', 'stopped in its queue', keep, received, sent)
return 'stopped'
