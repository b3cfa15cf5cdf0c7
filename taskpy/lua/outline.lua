-- some fields of many tasks; reads only
-- KEYS: (task)...
-- ARGV: the fields; of one with ? in front is told only whether it is there
-- returns: per task the values
-- needs: values
local rows = {}
for i, task in ipairs(KEYS) do
  rows[i] = values(task, ARGV)
end
return rows
