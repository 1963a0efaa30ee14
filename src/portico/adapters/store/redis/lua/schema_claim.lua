-- Writes the schema version where there is none yet. ARGV: now, repeated, version. Answers the version that is there.
local name = KEYS[1] .. ':schema'
redis.call('SET', name, ARGV[3], 'NX')
return redis.call('GET', name)
