-- move one delayed task into its queue when its time has come
-- KEYS: task, queue, bell, later
-- ARGV: id
-- returns: 1 no longer delayed, 0 not due
-- needs: now, ready
local task, queue, bell, later = unpack(KEYS)
local id = ARGV[1]
local due = redis.call('ZSCORE', later, id)
if not due or tonumber(due) > now() then return 0 end
redis.call('ZREM', later, id)
if redis.call('HGET', task, 'st') == 'queued' then ready(queue, bell, id, true) end
return 1
