-- Makes a failed job pending. ARGV: now, repeated, id. Answers 1 or 0, or the id of the unfinished job that has its
-- unique key.
local id = ARGV[3]
local state = load_state(id)
if not state or (state[STATUS] ~= 'failed' and state[STATUS] ~= 'dead_letter') then return 0 end
if state[UNIQUE_KEY] then
  local holder = call('HGET', key('unique', state[QUEUE]), state[UNIQUE_KEY])
  if holder and holder ~= id then return holder end
  call('HSET', key('unique', state[QUEUE]), state[UNIQUE_KEY], id)
end
remove(key(state[STATUS], state[QUEUE]), id)
state[RETRIES], state[CRASHES], state[SCHEDULED_AT], state[FAILED_AT], state[ERROR] = 0, 0, false, false, false
wait_again(id, state, 'pending', now())
conclude()
return 1
