-- Deletes a job that is not running; its idempotency key is held on. ARGV: now, repeated, id, how long keys are held, what
-- of its document is kept as long. Answers 1 or 0.
local state = load_state(ARGV[3])
if not state or state[STATUS] == 'running' then return 0 end
state[RESULT] = false
delete(ARGV[3], state, tonumber(ARGV[4]), ARGV[5])
conclude()
return 1
