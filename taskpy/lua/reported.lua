-- what a reader of a task's log sees in one step, with how far the task has come; reads only
-- KEYS: task
-- ARGV: place of the first line wanted (below 0: so many from the end), how many, how many are kept
-- returns: {state, progress or '', place after the last line here, lines}, or {} when there is no such task
local task = KEYS[1]
local wanted, count, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state, progress, logged = unpack(redis.call('HMGET', task, 'st', 'pr', 'lg'))
if not state then return {} end
logged = tonumber(logged or 0)
if wanted < 0 then wanted = logged + wanted end
local first = math.max(0, wanted, logged - limit)
local behind = math.max(first, math.min(first + count, logged))
local fields = {}
for place = first, behind - 1 do fields[#fields + 1] = 'l:' .. place end
return { state, progress or '', behind, #fields > 0 and redis.call('HMGET', task, unpack(fields)) or {} }
