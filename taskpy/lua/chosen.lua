-- the first of many tasks that are in a state, and in a queue; reads only
-- KEYS: (task)...
-- ARGV: the state or '', the queue or '', how many to give, then the fields; of one with ? in front is told
--   only whether it is there
-- returns: {place among the keys, values, place, values, ...}
-- needs: values
local state, queue, wanted = ARGV[1], ARGV[2], tonumber(ARGV[3])
local fields = { unpack(ARGV, 4) }
local rows = {}
for i, task in ipairs(KEYS) do
  local found = redis.call('HMGET', task, 'st', 'q')
  if found[1] and (state == '' or found[1] == state) and (queue == '' or found[2] == queue) then
    rows[#rows + 1] = i
    rows[#rows + 1] = values(task, fields)
  end
  if #rows >= 2 * wanted then break end
end
return rows
