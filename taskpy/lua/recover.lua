-- give back one task of a worker that was declared lost
-- KEYS: task, inbox, outbox, events, recent, queue, bell, held, lease, later, dead, keyed, behind, felling
-- ARGV: id, wid, keep ms of dead letters
-- returns: 1 done, 0 nothing to do
-- needs: ready, postpone, owner, note, finish
local task, inbox, outbox, events, recent, queue, bell, held, lease, later, dead, keyed, behind, felling = unpack(KEYS)
local id, wid, keep_dead = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('HEXISTS', held, id) == 0 then return 0 end -- ended or given back meanwhile, or another caller was first
if tonumber(redis.call('ZSCORE', lease, wid) or 0) ~= 0 then return 0 end -- the worker was not declared lost
redis.call('HDEL', held, id)
local values = redis.call('HMGET', task, 'st', 'tok', 'stop', 'crash', 'cb', 'mc', unpack(LASTING))
local state, token, stop, lost, before, restarts = unpack(values, 1, 6)
local used = { unpack(values, 7, 12) }
if state == 'queued' then -- claimed, never started: that is no fault of the task
  ready(queue, bell, id, true)
  return 1
end
if state ~= 'running' or owner(token) ~= wid then return 0 end -- ended, or running elsewhere
lost = (lost or 0) + 1
local since = lost - (before or 0) -- its last checkpoint
redis.call('HDEL', task, 'tok') -- from here on the old attempt is fenced
redis.call('HSET', task, 'crash', lost)
note(events, 'recover', wid)
local keys = {
  task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, dead = dead, keyed = keyed,
  behind = behind, later = later, felling = felling,
}
if stop then
  finish(keys, id, 'stopped', 'its worker was lost', used)
elseif since > tonumber(restarts) then
  finish(keys, id, 'failed', 'WorkerLost', used, keep_dead)
else
  redis.call('HSET', task, 'st', 'queued')
  redis.call('PUBLISH', task, 'queued')
  -- once is bad luck; a task under which more than one worker fell waits 4, 8, 16... s, at most 5 minutes
  if since == 1 then ready(queue, bell, id, true) else postpone(later, id, math.min(1000 * 2 ^ since, 300000)) end
end
return 1
