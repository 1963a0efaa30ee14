-- Gives running jobs back unrun. ARGV: now, repeated, then for each: id, token ('' for any), when it may be claimed
-- again ('' for now). Answers 1 or 0 for each.
local ids, answers, seen = {}, {}, {}
for i = 3, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
for i, state in ipairs(load_states(ids)) do
  local id, token, run_at = ids[i], ARGV[i * 3 + 1], ARGV[i * 3 + 2]
  state = seen[id] or state
  seen[id] = state
  answers[i] = is_answered(state, token) and 1 or 0
  if is_held(state, token) then
    answers[i] = 1
    release(id, state, run_at ~= '' and tonumber(run_at) or now())
  end
end
conclude()
return answers
