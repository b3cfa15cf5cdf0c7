-- accept tasks that differ in their specs only, in their order: into their queue, or aside when they are delayed
-- KEYS: queue, bell, later, queues, (task)...
-- ARGV: name of the queue, name of the tasks, delay ms, restarts, keep ms, then per task: id, spec
-- returns: per task 'new', or the state of the task that already has this id
-- needs: now, ring, postpone
local queue, bell, later, queues = unpack(KEYS, 1, 4)
local queue_name, name, delay, restarts, keep = unpack(ARGV, 1, 5)
local answers, fresh, submitted = {}, {}, now()
for n = 1, #KEYS - 4 do
  local task, id, spec = KEYS[n + 4], ARGV[2 * n + 4], ARGV[2 * n + 5]
  answers[n] = redis.call('HGET', task, 'st') or 'new'
  if answers[n] == 'new' then -- else: accepted before
    redis.call(
      'HSET', task, 'st', 'queued', 'q', queue_name, 'name', name, 'spec', spec, 'mc', restarts, 'keep', keep,
      'submitted', submitted
    )
    fresh[#fresh + 1] = id
  end
end
if #fresh == 0 then return answers end
redis.call('SADD', queues, queue_name)
if tonumber(delay) > 0 then
  for _, id in ipairs(fresh) do postpone(later, id, delay) end
else
  redis.call('LPUSH', queue, unpack(fresh))
  ring(bell, fresh[1])
end
return answers
