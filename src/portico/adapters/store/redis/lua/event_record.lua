-- Keeps an event. ARGV: now, repeated, id, text, time, has a body, body. One that is recorded again keeps its place.
local base, id = KEYS[1], ARGV[3]
redis.call('HSET', base .. ':events', id, ARGV[4])
redis.call('ZADD', base .. ':event_times', ARGV[5], id)
if ARGV[6] == '1' then
  redis.call('HSET', base .. ':event_bodies', id, ARGV[7])
else
  redis.call('HDEL', base .. ':event_bodies', id)
end
if not redis.call('ZSCORE', base .. ':event_order', id) then
  redis.call('ZADD', base .. ':event_order', redis.call('INCR', base .. ':event_seq'), id)
end
return 1
