-- Gives back what has expired in all queues, and forgets keys whose time is over. ARGV: now, repeated, max_crashes,
-- message of a crash. Answers how many jobs came back, and whether there is more to do.
local recovered, more = 0, 0

local function forget_keys(queue)
  local names = due_in(key('forgotten', queue), AT_ONCE)
  for _, name in ipairs(names) do
    local held = call('HGET', key('keys', queue), name)
    if held and #held ~= 16 and cmsgpack.unpack(held)[3] <= now() then call('HDEL', key('keys', queue), name) end
    call('ZREM', key('forgotten', queue), name)
  end
  return #names
end

for _, queue in ipairs(call('SMEMBERS', base .. ':queues')) do
  local expired = expire(queue, tonumber(ARGV[3]), ARGV[4])
  recovered = recovered + expired
  if expired == AT_ONCE or forget_keys(queue) == AT_ONCE then more = 1 end
  if recovered >= AT_ONCE then
    more = 1
    break
  end
end
conclude()
return {recovered, more}
