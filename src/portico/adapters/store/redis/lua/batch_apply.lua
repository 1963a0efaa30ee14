-- Stores a part of a batch that is staged; the first part decides that all of them will be stored. ARGV: now, repeated,
-- how long idempotency keys are held, batch, how many jobs it has, the first of this part, how many there are in it, for
-- how many milliseconds a batch is kept when it is done. Answers as `insert`, or nothing when not all are there.
local held_for, batch = tonumber(ARGV[3]), ARGV[4]
local total, first, count = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local staged, applied = key('staged', batch), key('applied', batch)
local done = tonumber(call('GET', applied) or false)
if not done then
  if call('LLEN', staged) ~= total * WIDTH then return false end
  call('PERSIST', staged)
  call('SADD', base .. ':batches', batch)
end
repeated = repeated or first < (done or 0)
local answers = insert(call('LRANGE', staged, first * WIDTH, (first + count) * WIDTH - 1), 1, held_for)
done = math.max(done or 0, first + count)
call('SET', applied, done, 'KEEPTTL')
if done >= total then
  call('SREM', base .. ':batches', batch)
  call('PEXPIRE', staged, ARGV[8])
  call('PEXPIRE', applied, ARGV[8])
end
return answers
