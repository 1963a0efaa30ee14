-- ARGV: now, repeated, then id and token of each. Answers the ids of those that are held and noted.
local ids, noted = {}, {}
for i = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
for i, state in ipairs(load_states(ids)) do
  if is_held(state, ARGV[i * 2 + 2]) and state[ABORT] then noted[#noted + 1] = ids[i] end
end
return noted
