-- Gives back what a claim got whose reply was lost. ARGV: now, repeated, queue, token. Answers how many.
local running, recalled = key('running', ARGV[3]), 0
local places = call('ZRANGE', running, 0, -1)
for first = 1, #places, AT_ONCE do
  local ids = {}
  for i = first, math.min(first + AT_ONCE - 1, #places) do ids[#ids + 1] = id_of(places[i]) end
  for i, state in ipairs(load_states(ids)) do
    if is_held(state, ARGV[4]) then
      recalled = recalled + 1
      release(ids[i], state, now())
    end
  end
end
conclude()
return recalled
