-- Starts leases anew. ARGV: now, repeated, lease, then id and token of each. Answers the ids that are held no longer.
local lease_end = written(now() + tonumber(ARGV[3]))
local ids, lost = {}, {}
for i = 4, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
for i, state in ipairs(load_states(ids)) do
  if is_held(state, ARGV[i * 2 + 3]) then
    -- taken out first: a server out of memory lets nothing be added, but what was begun it lets end
    remove(key('running', state[QUEUE]), state[PLACE])
    add(key('running', state[QUEUE]), lease_end, state[PLACE])
  else
    lost[#lost + 1] = ids[i]
  end
end
conclude()
return lost
