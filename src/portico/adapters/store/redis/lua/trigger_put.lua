-- Stores values. ARGV: now, repeated, trigger, expected version ('' for any), then key and text of each.
-- Answers the last version, or nothing when the first key has another one than expected.
local values, versions = key('values', ARGV[3]), base .. ':version'
if ARGV[4] ~= '' then
  local stored = call('HGET', values, ARGV[5])
  if (stored and string.match(stored, '^%d+') or '0') ~= ARGV[4] then return false end
end
local version = false
for i = 5, #ARGV, 2 do
  version = call('INCR', versions)
  call('HSET', values, ARGV[i], string.format('%.0f', version) .. ' ' .. ARGV[i + 1])
end
return version
