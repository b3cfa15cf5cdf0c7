-- accept a task as the child of one that runs: as `submit`, fenced, and not where all below the parent are to stop
-- KEYS: task, queue, bell, later, queues, parent
-- ARGV: id, name of the queue, name of the task, spec, delay ms, restarts, keep ms, id of the parent, its token, what
--   becomes of its children when it ends (wait / stop / leave)
-- returns: 'new', the state of the task that already has this id, 'fenced', or 'stopping'
-- needs: now, ready, postpone
local task, queue, bell, later, queues, parent = unpack(KEYS)
local id, delay = ARGV[1], tonumber(ARGV[5])
local known = redis.call('HGET', task, 'st')
if known then return known end -- accepted before
local state, token, tree, paused_by = unpack(redis.call('HMGET', parent, 'st', 'tok', 'tree', 'pt'))
if state ~= 'running' or token ~= ARGV[9] then return 'fenced' end
if tree then return 'stopping' end -- whoever stops it reads its children from now on: there may be no more
redis.call(
  'HSET', task, 'st', 'queued', 'q', ARGV[2], 'name', ARGV[3], 'spec', ARGV[4], 'mc', ARGV[6], 'keep', ARGV[7],
  'submitted', now(), 'parent', ARGV[8]
)
if paused_by then redis.call('HSET', task, 'pz', now() .. ' ' .. paused_by, 'pt', paused_by, 'od', 1) end
redis.call('HSET', parent, 'c:' .. redis.call('HINCRBY', parent, 'cn', 1), id, 'kin', ARGV[10])
redis.call('SADD', queues, ARGV[2])
if delay > 0 then postpone(later, id, delay) else ready(queue, bell, id, false) end
return 'new'
