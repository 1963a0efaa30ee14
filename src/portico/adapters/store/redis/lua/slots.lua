-- Limits: a run has a slot of each that its job comes under, and a job that finds one full is parked for it.
-- A slot's id is 16 bytes. A concurrency's is held until the run ends, whatever ends it; one of starts for `window`.
-- state[SLOTS] are the slots to give back: of a running job those that it has until it ends, of a waiting one the one
-- that it is, or was, parked for: whenever such a job leaves the line, somebody else may go in its stead.
local SIZE, WINDOW, QUEUES = 1, 2, 3
-- so many jobs are called back to the line at once for a slot and a queue
local CALLED_AT_ONCE = 1000

-- slots to look at when the script ends, each with {size, window, queues} as far as that is news
local touched

local function hold_of(id, token)
  return id .. token
end

local function room_of(slot, size)
  local holds = key('holds', slot)
  call('ZREMRANGEBYSCORE', holds, '-inf', written(now()))
  return size - call('ZCARD', holds)
end

local function let_go(state)
  for _, slot in ipairs(state[SLOTS] or {}) do touched[slot] = touched[slot] or {} end
  state[SLOTS] = false
end

-- puts those that wait for a slot in a queue back in line, as many as have room; returns whether others are left
local function call_back(slot, queue, room)
  local parked, ready = key('parked', queue), key('ready', queue)
  local count = math.max(math.min(room, CALLED_AT_ONCE), 0)
  local members = call('ZRANGE', parked, '[' .. slot, '+', 'BYLEX', 'LIMIT', 0, count + 1)
  for i, member in ipairs(members) do
    if string.sub(member, 1, 16) ~= slot then return false end
    if i > count then return true end
    if rung[queue] == nil then rung[queue] = call('ZCARD', ready) == 0 end
    remove(parked, member)
    add(ready, '0', string.sub(member, 17))
  end
  return false
end

local function look_again(slot, record, is_forsaken)
  local room, left = is_forsaken and CALLED_AT_ONCE or room_of(slot, record[SIZE]), {}
  local next_end = record[WINDOW] and (first_time(key('holds', slot)) or now() + record[WINDOW])
  for _, queue in ipairs(record[QUEUES]) do
    if call_back(slot, queue, room) then
      left[#left + 1] = queue
      if next_end then add(key('freed', queue), written(next_end), slot) end
    else
      remove(key('freed', queue), slot)
    end
  end
  if #left == 0 then
    gather(removals, 'HDEL', RECORDS, slot)
  else
    record[QUEUES] = left
    gather(additions, 'HSET', RECORDS, slot, cmsgpack.pack(record))
  end
end

local function with_queues(record, queues)
  local known = {}
  for _, queue in ipairs(record[QUEUES]) do known[queue] = true end
  for queue in pairs(queues or {}) do
    if not known[queue] then table.insert(record[QUEUES], queue) end
  end
  return record
end

-- writes, then gives what room there is to those who wait for it
local function conclude()
  flush()
  if not next(touched) then return end
  local slots = {}
  for slot in pairs(touched) do slots[#slots + 1] = slot end
  for i, packed in ipairs(call('HMGET', RECORDS, unpack(slots))) do
    local news = touched[slots[i]]
    local record = packed and cmsgpack.unpack(packed) or (news[QUEUES] and {news[SIZE], news[WINDOW], {}})
    if record then
      record[SIZE], record[WINDOW] = news[SIZE] or record[SIZE], news[WINDOW] or record[WINDOW]
      look_again(slots[i], with_queues(record, news[QUEUES]), news.is_forsaken)
    end
  end
  touched = {}
  flush()
end
