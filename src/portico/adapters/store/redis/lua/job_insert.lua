-- Stores new jobs in order. ARGV: now, repeated, how long idempotency keys are held, then the jobs. Answers as `insert`.
return insert(ARGV, 4, tonumber(ARGV[3]))
