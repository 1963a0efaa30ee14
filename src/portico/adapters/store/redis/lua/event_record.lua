-- Keeps events in their order. ARGV: now, repeated, then for each: id, text, time, has a body, body. One that is
-- recorded again keeps its place.
for i = 3, #ARGV, 5 do
  local id, text, time, has_body, body = unpack(ARGV, i, i + 4)
  call('HSET', base .. ':events', id, text)
  call('ZADD', base .. ':event_times', time, id)
  if has_body == '1' then
    call('HSET', base .. ':event_bodies', id, body)
  else
    call('HDEL', base .. ':event_bodies', id)
  end
  if not call('ZSCORE', base .. ':event_order', id) then
    call('ZADD', base .. ':event_order', call('INCR', base .. ':event_seq'), id)
  end
end
return 1
