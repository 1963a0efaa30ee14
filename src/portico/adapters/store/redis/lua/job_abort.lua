-- Notes that a running job shall end. ARGV: now, repeated, id, message that it will have then. Answers 1 or 0.
local state = load_state(ARGV[3])
if not is_held(state, '') then return 0 end
state[ABORT] = ARGV[4]
save(ARGV[3], state)
-- its worker may be waiting for jobs
rung[state[QUEUE]] = true
conclude()
return 1
