-- the values of some fields of a task; of a field with ? in front only whether it is there, for it may be large
local function values(task, fields)
  local row = redis.call('HMGET', task, unpack(fields))
  for i, field in ipairs(fields) do
    if string.sub(field, 1, 1) == '?' then row[i] = redis.call('HEXISTS', task, string.sub(field, 2)) end
  end
  return row
end
