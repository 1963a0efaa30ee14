-- Cancels a waiting job. ARGV: now, repeated, id, message. Answers 1 or 0.
local id = ARGV[3]
local state = load_state(id)
if not state or state[STATUS] == 'running' or ENDED[state[STATUS]] then return 0 end
stop_waiting(state)
finish(id, state, 'failed', ARGV[4])
conclude()
return 1
