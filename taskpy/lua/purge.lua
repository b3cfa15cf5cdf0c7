-- end tasks that wait in a queue, as stopped, and take their entries out; at most 1000 at once
-- KEYS: queue, recent, keyed, behind, later, felling, (task, inbox, outbox, events)...
-- ARGV: reason, then the ids
-- returns: how many tasks were ended
-- needs: note, finish
local queue, recent, keyed, behind, later, felling = unpack(KEYS, 1, 6)
local reason, ended = ARGV[1], 0
for i = 2, #ARGV do
  local id, k = ARGV[i], 4 * i - 1
  local task, inbox, outbox, events = KEYS[k], KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local removed = redis.call('LREM', queue, -1, id) -- the caller has read them there, from the right
  local values = redis.call('HMGET', task, 'st', unpack(LASTING))
  if removed > 0 and values[1] == 'queued' then -- else: claimed meanwhile, or an entry that `start` would drop
    redis.call('HSET', task, 'stop', reason)
    note(events, 'stop', reason)
    local keys = {
      task = task, inbox = inbox, outbox = outbox, events = events, recent = recent, keyed = keyed, behind = behind,
      later = later, felling = felling,
    }
    finish(keys, id, 'stopped', 'purged from its queue', { unpack(values, 2, 7) })
    ended = ended + 1
  end
end
return ended
