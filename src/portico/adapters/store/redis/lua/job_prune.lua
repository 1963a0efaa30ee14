-- Deletes jobs that ended earlier; their idempotency keys are held on. ARGV: now, repeated, how long keys are held,
-- time, how many at most. Answers how many.
local held_for, left = tonumber(ARGV[3]), tonumber(ARGV[5])
local pruned = 0
for _, queue in ipairs(call('SMEMBERS', base .. ':queues')) do
  for status in pairs(ENDED) do
    local ids = left > 0 and call('ZRANGE', key(status, queue), '-inf', '(' .. ARGV[4], 'BYSCORE', 'LIMIT', 0, left) or {}
    for i, state in ipairs(load_states(ids)) do delete(ids[i], state, held_for) end
    left, pruned = left - #ids, pruned + #ids
  end
end
flush()
return pruned
