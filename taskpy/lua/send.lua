-- put a message into a task's inbox
-- KEYS: task, inbox
-- ARGV: id, prefix of the workers' channels, sender, number of the message at this sender, message, limit of the inbox
-- returns: its number among all messages to the task, 'full', 'unknown', or the final state
-- needs: owner
local task, inbox = unpack(KEYS)
local id, prefix, sender, number, message, limit = unpack(ARGV)
local last_of = 's:' .. sender
local state, token, last, received, acknowledged =
  unpack(redis.call('HMGET', task, 'st', 'tok', last_of, 'in', 'ib'))
if not state then return 'unknown' end
local counted, known_as = string.match(last or '', '^(%d+) (%d+)$')
if tonumber(counted or 0) >= tonumber(number) then return tonumber(known_as) end -- accepted before
if state ~= 'queued' and state ~= 'running' then return state end -- only now: a message that arrived has arrived
received = tonumber(received or 0)
if received - (acknowledged or 0) >= tonumber(limit) then return 'full' end
redis.call('HSET', task, last_of, number .. ' ' .. received + 1, 'in', received + 1)
redis.call('RPUSH', inbox, message)
if state == 'running' then -- a short message comes along: its worker needs no second look
  local along = #message <= 1024 and ' mail ' .. message or ''
  redis.call('PUBLISH', prefix .. owner(token), id .. ' ' .. received + 1 .. along)
end
return received + 1
