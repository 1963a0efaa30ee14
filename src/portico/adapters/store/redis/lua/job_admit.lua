-- Claims those of some jobs that all their slots have room for, in order, and parks the others until there is. ARGV: now,
-- repeated, queue, lease, token, how many to claim at most, how many slots there are, id, size and window ('' for none) of
-- each slot, then for each job: id, how many slots it needs, which ones (from 1). Answers {id, state} for each claimed.
-- starts are forgotten by themselves, well after their time
local LONGER_MS = 60000
local queue, lease_end, token, limit, count = ARGV[3], written(now() + tonumber(ARGV[4])), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local slots, rooms, at = {}, {}, 8
for i = 1, count do
  slots[i] = {id = ARGV[at], size = tonumber(ARGV[at + 1]), window = tonumber(ARGV[at + 2]) or false}
  rooms[i] = room_of(slots[i].id, slots[i].size)
  touched[slots[i].id] = {slots[i].size, slots[i].window}
  at = at + 3
end

local ids, needs = {}, {}
while at <= #ARGV do
  ids[#ids + 1] = ARGV[at]
  local last = at + 1 + tonumber(ARGV[at + 1])
  needs[#ids] = {}
  for i = at + 2, last do table.insert(needs[#ids], tonumber(ARGV[i])) end
  at = last + 1
end

local function admit(id, state, needed)
  local held = {}
  for _, i in ipairs(needed) do
    local slot = slots[i]
    rooms[i] = rooms[i] - 1
    add(key('holds', slot.id), slot.window and written(now() + slot.window) or '+inf', hold_of(id, token))
    if not slot.window then held[#held + 1] = slot.id end
  end
  start_running(id, state, token, lease_end, #held > 0 and held)
end

local function park(id, state, slot)
  let_go(state)
  state[SLOTS] = {slot.id}
  add(key('parked', queue), '0', slot.id .. state[PLACE])
  local news = touched[slot.id]
  news[QUEUES] = news[QUEUES] or {}
  news[QUEUES][queue] = true
  save(id, state)
end

local function full_one(needed)
  for _, i in ipairs(needed) do
    if rooms[i] <= 0 then return slots[i] end
  end
end

local admitted = {}
for i, state in ipairs(load_states(ids)) do
  if #admitted == limit then break end
  -- others may have been here between the look and now
  if state and state[QUEUE] == queue and call('ZREM', key('ready', queue), state[PLACE]) == 1 then
    local full = full_one(needs[i])
    if full then
      park(ids[i], state, full)
    else
      admit(ids[i], state, needs[i])
      admitted[#admitted + 1] = {ids[i], state}
    end
  end
end
conclude()
for _, slot in ipairs(slots) do
  if slot.window then call('PEXPIRE', key('holds', slot.id), math.ceil(slot.window / 1000) + LONGER_MS) end
end
return admitted
