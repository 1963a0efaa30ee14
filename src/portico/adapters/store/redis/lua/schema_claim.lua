-- Writes the schema version where there is none or an older one, whose data are read as they are. ARGV: now, repeated,
-- version. Answers the version that is there.
local name, version = base .. ':schema', tonumber(ARGV[3])
local found = tonumber(call('GET', name) or 0)
if found < version then call('SET', name, version) end
return math.max(found, version)
