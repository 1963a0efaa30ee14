-- Looks through some jobs, newest first. ARGV: now, repeated, the sequence number to start below ('' for the newest),
-- how many to look at, how many to find, queue, status, type, part of the error ('' for any). Answers the last number
-- that was looked at or nothing at the end, then {id, document, state} for each job found.
local looks, wanted, queue, status, kind, text = tonumber(ARGV[4]), tonumber(ARGV[5]), unpack(ARGV, 6, 9)
local below = ARGV[3] == '' and '+inf' or '(' .. ARGV[3]
local page = call('ZRANGE', ORDER, below, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, looks, 'WITHSCORES')
local ids, found = {}, {#page == looks * 2 and page[#page] or false}
for i = 1, #page, 2 do ids[#ids + 1] = page[i] end

local function is(asked, value) return asked == '' or asked == value end

local function matches(state)
  return is(queue, state[QUEUE]) and is(status, state[STATUS]) and is(kind, state[TYPE])
    and (text == '' or string.find(state[ERROR] or '', text, 1, true))
end

for i, state in ipairs(load_states(ids)) do
  if matches(state) then
    found[#found + 1] = {ids[i], call('HGET', JOBS, ids[i]), state}
    if #found > wanted then
      found[1] = page[i * 2]
      break
    end
  end
end
return found
