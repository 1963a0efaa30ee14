-- Forgets events that are older, some at once. ARGV: now, repeated, time, how many. Answers how many.
local old = call('ZRANGE', base .. ':event_times', '-inf', '(' .. ARGV[3], 'BYSCORE', 'LIMIT', 0, ARGV[4])
if #old == 0 then return 0 end
for _, name in ipairs({'event_times', 'event_order'}) do call('ZREM', base .. ':' .. name, unpack(old)) end
for _, name in ipairs({'events', 'event_bodies'}) do call('HDEL', base .. ':' .. name, unpack(old)) end
return #old
