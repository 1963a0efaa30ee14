-- Takes one of a rate limit. ARGV: now, repeated, key, limit, window. The list holds when each that was taken leaves
-- its window. Answers whether it may happen, how many are left, and how long until the next may.
local name, limit, window = key('rate', ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local first = call('LINDEX', name, 0)
while first and tonumber(first) <= now() do
  call('LPOP', name)
  first = call('LINDEX', name, 0)
end
local taken = call('LLEN', name)
-- a limit that was lowered is met when all but `limit - 1` are free
if taken >= limit then return {0, 0, tonumber(call('LINDEX', name, -limit)) - now()} end
call('RPUSH', name, now() + window)
if ARGV[1] == '' then call('PEXPIRE', name, math.ceil(window / 1000) + 1000) end
return {1, limit - taken - 1, 0}
