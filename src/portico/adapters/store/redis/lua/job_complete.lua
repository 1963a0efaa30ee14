-- Completes running jobs. ARGV: now, repeated, then for each: id, token ('' for any), result ('' for none).
-- Answers 1 or 0 for each.
local ids, answers, seen = {}, {}, {}
for i = 3, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
is_alone = #ids == 1
for i, state in ipairs(load_states(ids)) do
  local id, token, result = ids[i], ARGV[i * 3 + 1], ARGV[i * 3 + 2]
  state = seen[id] or state
  seen[id] = state
  answers[i] = 0
  if is_held(state, token) then
    stop_running(state)
    state[RESULT] = result ~= '' and result
    finish(id, state, 'completed', false)
    answers[i] = 1
  elseif is_answered(state, token) and state[STATUS] == 'completed' then
    answers[i] = 1
  end
end
conclude()
return answers
