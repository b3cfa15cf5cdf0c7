-- write a task that is new; it stands in no queue yet. ARGV from the 2nd on: name of the queue, name of the task, spec,
-- (delay ms,) restarts, keep ms; from `first` on the messages for its inbox
-- needs: now
local function accept(task, queues, inbox, first)
  redis.call(
    'HSET', task, 'st', 'queued', 'q', ARGV[2], 'name', ARGV[3], 'spec', ARGV[4], 'mc', ARGV[6], 'keep', ARGV[7],
    'submitted', now()
  )
  redis.call('SADD', queues, ARGV[2])
  if #ARGV >= first then
    redis.call('RPUSH', inbox, unpack(ARGV, first))
    redis.call('HSET', task, 'in', #ARGV - first + 1)
  end
end
