-- The line of a queue, as claims find it.
-- How many jobs get ready by their time at once.
local DUE_AT_ONCE = 1000

-- Gives back what has expired, and lines up whose time has come. Answers whether the queue may be claimed from.
local function bring_forward(queue, max_crashes, message)
  if expire(queue, max_crashes, message) > 0 then conclude() end
  if call('SISMEMBER', base .. ':paused', queue) == 1 then return false end
  local due, ready = key('due', queue), key('ready', queue)
  for _, place in ipairs(due_in(due, DUE_AT_ONCE)) do
    remove(due, place)
    add(ready, '0', place)
  end
  flush()
  return true
end

-- when a queue whose line is empty may have something by time alone, as `kinds` tell, or false
local function next_time(queue, kinds)
  local first = false
  for _, kind in ipairs(kinds) do
    local time = first_time(key(kind, queue))
    if time and (not first or time < first) then first = time end
  end
  return first
end

local function ids_of(places)
  local ids = {}
  for i, place in ipairs(places) do ids[i] = id_of(place) end
  return ids
end
