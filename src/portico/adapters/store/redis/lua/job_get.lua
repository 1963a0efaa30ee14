-- ARGV: now, repeated, id. Answers its document and state, or nothing.
local state = load_state(ARGV[3])
return state and {call('HGET', JOBS, ARGV[3]), state}
