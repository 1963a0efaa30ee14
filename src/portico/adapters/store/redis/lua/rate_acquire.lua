-- Takes one of a rate limit. ARGV: now, repeated, key, limit, window. The list holds when each that was taken leaves
-- its window. Answers whether it may happen, how many are left, and how long until the next may.
local name, limit, window = KEYS[1] .. ':rate:' .. ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local first = redis.call('LINDEX', name, 0)
while first and tonumber(first) <= now do
  redis.call('LPOP', name)
  first = redis.call('LINDEX', name, 0)
end
local taken = redis.call('LLEN', name)
-- a limit that was lowered is met when all but `limit - 1` are free
if taken >= limit then return {0, 0, tonumber(redis.call('LINDEX', name, -limit)) - now} end
redis.call('RPUSH', name, now + window)
if ARGV[1] == '' then redis.call('PEXPIRE', name, math.ceil(window / 1000) + 1000) end
return {1, limit - taken - 1, 0}
