-- read a page of the children of a task, in the order in which they were spawned; writes nothing
-- KEYS: task, felling
-- ARGV: id, place of the first one from 0, how many
-- returns: {state, number of its entry in `felling` or '', the wish to stop all below it or '', how many, ids};
--   without a state: no such task
-- needs: now, wish
local task, felling = KEYS[1], KEYS[2]
local first, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local state, known, tree, entry = unpack(redis.call('HMGET', task, 'st', 'cn', 'tree', 'fell'))
known = tonumber(known or 0) or 0
local places, ids = {}, {}
for n = first + 1, math.min(first + count, known) do places[#places + 1] = 'c:' .. n end
if #places > 0 then ids = redis.call('HMGET', task, unpack(places)) end
local told = ''
if tree then
  local follows, deadline, by, reason = string.match(tree, '^(%S+) (%d+) (%S+) (.*)$')
  if reason then told = wish(now(), reason, by, follows, deadline) end
end
entry = redis.call('ZSCORE', felling, ARGV[1]) and (entry or 'gone') or ''
return { state or '', entry, told, known, ids }
