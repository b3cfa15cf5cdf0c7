-- keep what an attempt reports: how far it has come, and lines of its log, in one fenced step
-- KEYS: task
-- ARGV: token, number of the report in this attempt, progress ('' = as it was), how many lines are kept, lines
-- returns: 1 kept (now or before), 0 fenced, 2 kept but for the lines: the server has no memory for more
local task = KEYS[1]
local token, number, progress, limit, new = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), #ARGV - 4
local state, current, last, logged = unpack(redis.call('HMGET', task, 'st', 'tok', 'rp', 'lg'))
if state ~= 'running' or current ~= token then return 0 end
local by, before = string.match(last or '', '^(.*) (%d+)$')
if by == token and tonumber(before) >= tonumber(number) then return 1 end -- this one, or a later one, was here
logged = tonumber(logged or 0)
local old, lines, answer = {}, {}, 1
for place = math.max(0, logged - limit), logged + new - limit - 1 do old[#old + 1] = 'l:' .. place end
for i = 1, new do
  lines[2 * i - 1], lines[2 * i] = 'l:' .. logged + i - 1, ARGV[4 + i]
end
if #old > 0 then redis.call('HDEL', task, unpack(old)) end -- where lines make room for others, it works at maxmemory
if new > 0 then
  local written = redis.pcall('HSET', task, 'lg', logged + new, unpack(lines))
  if type(written) == 'table' then answer = 2 end -- out of memory: nobody shall wait for lines of a log
end
redis.call('HDEL', task, '') -- a no-op, see agree
redis.call('HSET', task, 'rp', token .. ' ' .. number)
if progress ~= '' then redis.call('HSET', task, 'pr', progress) end
redis.call('PUBLISH', task, 'report')
return answer
