-- Looks through some jobs, newest first. ARGV: now, repeated, the sequence number to start below ('' for the newest),
-- how many to look at, how many to find, queue, status, type ('' for any). Answers the last number that was looked at
-- or nothing at the end, then {id, document, state} for each job found.
local looks, wanted, queue, status, kind = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local below = ARGV[3] == '' and '+inf' or '(' .. ARGV[3]
local page = call('ZRANGE', ORDER, below, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, looks, 'WITHSCORES')
local ids, found = {}, {#page == looks * 2 and page[#page] or false}
for i = 1, #page, 2 do ids[#ids + 1] = page[i] end

local function matches(asked, value) return asked == '' or asked == value end

for i, state in ipairs(load_states(ids)) do
  if matches(queue, state[QUEUE]) and matches(status, state[STATUS]) and matches(kind, state[TYPE]) then
    found[#found + 1] = {ids[i], call('HGET', JOBS, ids[i]), state}
    if #found > wanted then
      found[1] = page[i * 2]
      break
    end
  end
end
return found
