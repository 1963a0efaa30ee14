-- Tells of a batch that is being applied. ARGV: now, repeated, batch. Answers how many of its jobs are stored, and how
-- many it has.
local batch = ARGV[3]
return {tonumber(call('GET', key('applied', batch)) or 0), call('LLEN', key('staged', batch)) / WIDTH}
