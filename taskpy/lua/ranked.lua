-- a page of a sorted set; reads only
-- KEYS: set
-- ARGV: first rank, last rank, 'REV' (highest score first) or ''
-- returns: {member, score, member, score, ...}
local set = KEYS[1]
if ARGV[3] == 'REV' then return redis.call('ZRANGE', set, ARGV[1], ARGV[2], 'REV', 'WITHSCORES') end
return redis.call('ZRANGE', set, ARGV[1], ARGV[2], 'WITHSCORES')
