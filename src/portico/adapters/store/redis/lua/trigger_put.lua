-- Stores values. ARGV: now, repeated, trigger, expected version ('' for any), then key and text of each.
-- Answers the last version, or nothing when the first key has another one than expected.
local values, versions = KEYS[1] .. ':values:' .. ARGV[3], KEYS[1] .. ':version'
if ARGV[4] ~= '' then
  local stored = redis.call('HGET', values, ARGV[5])
  if (stored and string.match(stored, '^%d+') or '0') ~= ARGV[4] then return false end
end
local version = false
for i = 5, #ARGV, 2 do
  version = redis.call('INCR', versions)
  redis.call('HSET', values, ARGV[i], string.format('%.0f', version) .. ' ' .. ARGV[i + 1])
end
return version
