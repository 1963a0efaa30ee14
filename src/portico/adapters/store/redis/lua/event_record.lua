-- Keeps events in their order. ARGV: now, repeated, then for each: id, text, time, has a body, body. One that is
-- recorded again keeps its place.
local base = KEYS[1]
for i = 3, #ARGV, 5 do
  local id, text, time, has_body, body = unpack(ARGV, i, i + 4)
  redis.call('HSET', base .. ':events', id, text)
  redis.call('ZADD', base .. ':event_times', time, id)
  if has_body == '1' then
    redis.call('HSET', base .. ':event_bodies', id, body)
  else
    redis.call('HDEL', base .. ':event_bodies', id)
  end
  if not redis.call('ZSCORE', base .. ':event_order', id) then
    redis.call('ZADD', base .. ':event_order', redis.call('INCR', base .. ':event_seq'), id)
  end
end
return 1
