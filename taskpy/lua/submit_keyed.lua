-- accept a task whose key is free; where another task has the key, do as the submitter says
-- KEYS: task, queue, bell, later, queues, inbox, reply, keyed, behind, felling, (other, box, outbox, events, recent)...
-- ARGV: id, name of the queue, name of the task, spec, delay ms, restarts, keep ms, key, on conflict (reject, join,
--   send, replace), the ids that the caller knows to have the key, prefix of the workers' channels, by whom, grace ms,
--   most messages of an inbox, then messages for its inbox
-- returns: 'new', or the state of the task that already has this id; or a word and the id of the task that has the
--   key: 'taken', 'joined', 'sent', 'full'; or 'again' and the ids that have it: nothing was done, for the caller
--   knows others (whose keys it has named)
-- needs: accept, ready, postpone, vacate, halt
local task, queue, bell, later, queues, inbox, reply, keyed, behind, felling = unpack(KEYS, 1, 10)
local id, delay, key, conflict = ARGV[1], tonumber(ARGV[5]), ARGV[8], ARGV[9]
local prefix, by, grace, limit = ARGV[11], ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local FIRST, REMEMBERED = 15, 600000 -- where the messages begin; ms, no copy of a call comes later

local known = redis.call('HGET', task, 'st') or redis.call('GET', reply)
if known then return known end -- answered before
local live, successor = entry_of(keyed, key)
local names = live and live .. (successor ~= '' and ' ' .. successor or '') or ''
if names ~= ARGV[10] then return 'again ' .. names end -- the keys of these tasks are not declared

local holders, keys = {}, nil
for n, holder in ipairs({ live, successor ~= '' and successor or nil }) do
  local other, box, outbox, events, recent = unpack(KEYS, 5 * n + 6, 5 * n + 10)
  local state = redis.call('HGET', other, 'st')
  if state ~= 'queued' and state ~= 'running' then -- it is gone, and nobody has said that it has ended
    vacate(keyed, behind, later, key, holder)
    return 'again ' .. (holder == live and successor or live)
  end
  keys = { -- in the end: of the newest task with this key
    id = holder, task = other, inbox = box, outbox = outbox, events = events, recent = recent, keyed = keyed,
    behind = behind, later = later, felling = felling,
  }
  holders[n] = keys
end

if not keys or conflict == 'replace' then
  accept(task, queues, inbox, FIRST)
  redis.call('HSET', task, 'key', key)
  local runs = false
  for n = #holders, 1, -1 do
    runs = halt(holders[n], holders[n].id, prefix, 'replaced by ' .. id, by, 'kill', grace) == 'stopping' or runs
  end
  redis.call('HSET', keyed, key, runs and live .. ' ' .. id or id)
  if runs then
    redis.call('ZADD', behind, now() + delay, id)
  elseif delay > 0 then
    postpone(later, id, delay)
  else
    ready(queue, bell, id, false)
  end
  return 'new'
end

local said = conflict == 'reject' and 'taken' or 'joined'
local count = #ARGV - FIRST + 1
if conflict == 'send' and count > 0 then
  local token, received, acknowledged = unpack(redis.call('HMGET', keys.task, 'tok', 'in', 'ib'))
  received = (received or 0) + count
  said = received - (acknowledged or 0) > limit and 'full' or 'sent'
  if said == 'sent' then
    redis.call('RPUSH', keys.inbox, unpack(ARGV, FIRST))
    redis.call('HSET', keys.task, 'in', received)
    if redis.call('HGET', keys.task, 'st') == 'running' then
      redis.call('PUBLISH', prefix .. owner(token), keys.id .. ' ' .. received)
    end
  end
end
said = said .. ' ' .. keys.id
redis.call('SET', reply, said, 'PX', REMEMBERED)
return said
