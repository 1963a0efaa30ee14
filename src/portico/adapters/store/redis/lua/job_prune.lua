-- Deletes jobs that ended like this before a time; their idempotency keys are held on. ARGV: now, repeated, how long
-- keys are held, time, then the statuses. Answers how many.
local held_for, left, pruned = tonumber(ARGV[3]), AT_ONCE, 0
for _, queue in ipairs(call('SMEMBERS', base .. ':queues')) do
  for i = 5, #ARGV do
    local ended = key(ARGV[i], queue)
    local ids = left > 0 and call('ZRANGE', ended, '-inf', '(' .. ARGV[4], 'BYSCORE', 'LIMIT', 0, left) or {}
    for place, state in ipairs(load_states(ids)) do delete(ids[place], state, held_for) end
    left, pruned = left - #ids, pruned + #ids
  end
end
conclude()
return pruned
