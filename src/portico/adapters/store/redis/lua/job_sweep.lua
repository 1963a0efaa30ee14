-- Looks again at slots that jobs are parked for: the net under whatever failed to. One that nobody holds may be of a limit
-- that is no more. ARGV: now, repeated, then the slots. Answers how many holds were of no run.
local swept = 0

for i = 3, #ARGV do
  local holds, ids, runs = key('holds', ARGV[i]), {}, {}
  local some = call('ZRANDMEMBER', holds, AT_ONCE, 'WITHSCORES')
  for at = 1, #some, 2 do
    if some[at + 1] == 'inf' then
      ids[#ids + 1], runs[#runs + 1] = string.sub(some[at], 1, 16), some[at]
    end
  end
  for at, state in ipairs(load_states(ids)) do
    if not is_held(state, string.sub(runs[at], 17)) then swept = swept + call('ZREM', holds, runs[at]) end
  end
  touched[ARGV[i]] = {is_forsaken = room_of(ARGV[i], 1) == 1}
end
conclude()
return swept
