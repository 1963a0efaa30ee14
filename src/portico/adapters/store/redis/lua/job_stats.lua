-- ARGV: now, repeated, queue. Answers how many wait, run, are completed, failed and dead.
local queue, counts = ARGV[3], {}
for i, kind in ipairs({'ready', 'running', 'completed', 'failed', 'dead_letter'}) do
  counts[i] = call('ZCARD', key(kind, queue))
end
counts[1] = counts[1] + call('ZCARD', key('due', queue)) + call('ZCARD', key('parked', queue))
return counts
