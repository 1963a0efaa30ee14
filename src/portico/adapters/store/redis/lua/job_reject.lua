-- Fails running jobs. ARGV: now, repeated, then for each: id, token ('' for any), requeue, message ('' for none,
-- else '=' and the text), when to retry ('' for now). Answers 1 or 0 for each.
local WIDTH = 5
local ids, answers, seen = {}, {}, {}
for i = 3, #ARGV, WIDTH do ids[#ids + 1] = ARGV[i] end
for i, state in ipairs(load_states(ids)) do
  local id, token, requeue, message, run_at = unpack(ARGV, 3 + (i - 1) * WIDTH, 2 + i * WIDTH)
  message = message ~= '' and string.sub(message, 2)
  state = seen[id] or state
  seen[id] = state
  answers[i] = is_answered(state, token) and 1 or 0
  if is_held(state, token) then
    answers[i] = 1
    stop_running(state)
    if requeue ~= '1' then
      finish(id, state, 'failed', message)
    elseif state[RETRIES] >= state[MAX_RETRIES] then
      finish(id, state, 'dead_letter', message)
    elseif not is_aborted(id, state) then
      state[RETRIES], state[ERROR] = state[RETRIES] + 1, message
      wait_again(id, state, 'retrying', run_at ~= '' and tonumber(run_at) or now())
    end
  end
end
conclude()
return answers
