-- note that all below a task were asked to stop, as was wanted by its entry of this number
-- KEYS: task, felling
-- ARGV: id, number of the entry, as `children` has answered
-- returns: 1 gone, 0 it was gone, or is to be done anew
local task, felling, id = KEYS[1], KEYS[2], ARGV[1]
return redis.call('ZREM', felling, (redis.call('HGET', task, 'fell') or 'gone') == ARGV[2] and id or '')
