-- Takes, extends or gives back a lease. ARGV: now, repeated, trigger, key, holder, length ('' gives it back).
-- Answers 1 when the holder has it (had it), else 0.
local leases, name, holder = key('leases', ARGV[3]), ARGV[4], ARGV[5]
local held = call('HGET', leases, name)
local lease = held and cmsgpack.unpack(held)
local is_mine = lease and lease[1] == holder
if ARGV[6] == '' then
  if is_mine then call('HDEL', leases, name) end
  return is_mine and 1 or 0
end
if lease and not is_mine and lease[2] > now() then return 0 end
call('HSET', leases, name, cmsgpack.pack({holder, now() + tonumber(ARGV[6])}))
return 1
