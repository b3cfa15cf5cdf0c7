-- accept a task: into its queue, or aside when it is delayed
-- KEYS: task, queue, bell, later, queues, inbox
-- ARGV: id, name of the queue, name of the task, spec, delay ms, restarts, keep ms, then messages for its inbox
-- returns: 'new', or the state of the task that already has this id
-- needs: accept, ready, postpone
local task, queue, bell, later, queues, inbox = unpack(KEYS)
local id, delay = ARGV[1], tonumber(ARGV[5])
local state = redis.call('HGET', task, 'st')
if state then return state end -- accepted before
accept(task, queues, inbox, 8)
if delay > 0 then postpone(later, id, delay) else ready(queue, bell, id, false) end
return 'new'
