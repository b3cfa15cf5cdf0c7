-- a worker returns a task to its queue; one that was asked to stop ends instead: failed when it raised, else stopped
-- KEYS: task, inbox, outbox, events, recent, queue, bell, held, later, dead, keyed, behind, felling
-- ARGV: id, token, why (retry / release / unknown / drop / unbegun), exception when it raised, delay ms, keep ms of
--   dead letters
-- returns: 1 done (now or before), 0 not mine (then only `held` is cleaned)
-- needs: ready, postpone, unhold, note, finish
local task, inbox, outbox, events, recent, queue, bell, held, later, dead, keyed, behind, felling = unpack(KEYS)
local id, token, why, exception, delay = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local values = redis.call('HMGET', task, 'st', 'tok', 'stop', unpack(LASTING))
local state, current, stop = unpack(values, 1, 3)
local claimed = unhold(held, id, token, state, current)
if state == 'running' and current == token then
  if stop then
    local keys = {
      task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, dead = dead, keyed = keyed,
      behind = behind, later = later, felling = felling,
    }
    local ending = exception == '' and 'stopped' or 'failed'
    finish(keys, id, ending, exception, { unpack(values, 4, 9) }, tonumber(ARGV[6]))
    return 1
  end
  redis.call('HSET', task, 'st', 'queued') -- the token stays: a repeated call finds it and answers 1
  if why == 'retry' then
    redis.call('HINCRBY', task, 'ret', 1)
    redis.call('HSET', task, 'exc', exception)
  end
  if why == 'unknown' then redis.call('HINCRBY', task, 'unk', 1) end
  local began = why == 'retry' or why == 'release'
  if not began then redis.call('HINCRBY', task, 'att', -1) end
  if why ~= 'unbegun' then note(events, why, owner(token)) end -- which is nothing to speak of
  redis.call('PUBLISH', task, 'queued')
elseif not (state == 'queued' and claimed) then -- else: claimed, never started
  return current == token and (state == 'queued' or state == 'stopped' or state == 'failed') and 1 or 0
end
if delay > 0 then postpone(later, id, delay) else ready(queue, bell, id, why ~= 'retry') end
return 1
