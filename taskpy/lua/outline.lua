-- some fields of many tasks; reads only
-- KEYS: (task)...
-- ARGV: the fields
-- returns: per task the values
local rows = {}
for i, task in ipairs(KEYS) do
  rows[i] = redis.call('HMGET', task, unpack(ARGV))
end
return rows
