-- What the operations on jobs share.
--
-- Every key starts with `base`, whose hash tag keeps all of them in one slot of a cluster:
--   jobs       hash   id -> document (what never changes, as the client wrote it)
--   states     hash   id -> packed state (the fields below)
--   order      zset   id by sequence number: the list, newest last
--   ready:Q    zset   places, all of score 0: their bytes are the order in which they are claimed
--   turns:Q    hash   priority and partition -> packed {how many wait, their highest rank}, while any partition waits
--   due:Q      zset   places by the time at which they get ready
--   running:Q  zset   places by the end of their lease
--   completed:Q, failed:Q, dead_letter:Q   zset   ids by the time at which they ended
--   keys:Q     hash   idempotency key -> id of its job, or what is left of a deleted one
--   forgotten:Q zset  idempotency keys of deleted jobs by the time at which they are free
--   unique:Q   hash   unique key -> id of the unfinished job that has it
--   queues, paused    sets of queue names
--   holds:S    zset   runs (id and token) that have slot S, by the time until which they have it
--   slots      hash   slot -> packed {size, window, queues}, while jobs are parked for it
--   parked:Q   zset   slot and place of those that wait for a slot: its bytes are their order
--   freed:Q    zset   slots of starts that jobs of the queue are parked for, by the time at which there may be room
--   staged:B   list   what `insert` takes of the jobs of batch B, in order
--   applied:B  text   how many of them are jobs by now, once all were staged
--   batches    set    batches that are being applied
-- A place is 8 bytes of inverted priority, 4 of rank, one 255, 7 of sequence number, 16 of id. In schema 1 it had no rank
-- and 8 bytes of sequence number, so that such places come before all others of rank 0.
-- Times are whole microseconds; a number is never put into text with `..`, which keeps 14 digits only.
-- Writes that free memory come first: a server out of memory refuses a script at its first write or not at all.
local call, base, JOBS, STATES, ORDER, RECORDS
local STATUS, QUEUE, TYPE, PLACE, MAX_RETRIES, SCHEDULED_AT, IDEMPOTENCY_KEY, UNIQUE_KEY = 1, 2, 3, 4, 5, 6, 7, 8
local RETRIES, CRASHES, TOKEN, STARTED_AT, COMPLETED_AT, FAILED_AT, ERROR, RESULT = 9, 10, 11, 12, 13, 14, 15, 16
local ABORT, SLOTS, PARTITION = 17, 18, 19
local ENDED = {completed = true, failed = true, dead_letter = true}

local function key(kind, queue)
  return base .. ':' .. kind .. ':' .. queue
end

-- whether this call was sent before and its reply lost, and the store's time once it was asked for
local repeated, moment, written_moment

local function now()
  if not moment then
    local time = call('TIME')
    written_moment = time[1] .. string.sub('00000' .. time[2], -6)
    moment = tonumber(written_moment)
  end
  return moment
end

-- Commands take text: of a number the server makes it with 17 digits, which costs as much as a command.
local function written(number)
  return number == moment and written_moment or string.format('%d', number)
end

local function id_of(place)
  return string.sub(place, -16)
end

-- commands that can wait for the end are gathered: one call for all members of a key; those of a lone job are not
local removals, additions, rung, is_alone

local function gather(batches, command, name, value, other)
  if is_alone then
    if other then call(command, name, value, other) else call(command, name, value) end
    return
  end
  local batch = batches[name]
  if not batch then
    batches[name] = {command, name, value, other}
    return
  end
  local last = #batch
  batch[last + 1], batch[last + 2] = value, other
end

local function remove(name, member) gather(removals, 'ZREM', name, member) end
local function add(name, score, member) gather(additions, 'ZADD', name, score, member) end
local function save(id, state) gather(additions, 'HSET', STATES, id, cmsgpack.pack(state)) end

-- Jobs of one priority go by rank: the first ones of all partitions, then the second ones. A queue in which none waits
-- that has a partition has no ranks, and false for its turns; where one waits, jobs without one ('') are a partition too.
local turns, heads
local HIGHEST_RANK = 4294967295

local function goes_by_turns(queue)
  if turns[queue] == nil then turns[queue] = call('EXISTS', key('turns', queue)) == 1 and {} end
  return turns[queue]
end

-- how many of a partition wait, and the highest rank among them
local function turn_of(queue, priority, partition)
  local name = priority .. partition
  turns[queue] = turns[queue] or {}
  if not turns[queue][name] then
    local packed = call('HGET', key('turns', queue), name)
    turns[queue][name] = packed and cmsgpack.unpack(packed) or {0, 0}
  end
  return turns[queue][name]
end

local function rank_at_head(queue, priority)
  local name = priority .. queue
  if not heads[name] then
    local head = call('ZRANGE', key('ready', queue), '[' .. priority, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
    heads[name] = head and string.sub(head, 1, 8) == priority and struct.unpack('>I4', head, 9) or 0
  end
  return heads[name]
end

local function next_rank(queue, priority, partition)
  local waiting, highest = unpack(turn_of(queue, priority, partition))
  return math.min(math.max(rank_at_head(queue, priority), waiting > 0 and highest + 1 or 0), HIGHEST_RANK)
end

-- counts a job that begins (1) or ceases (-1) to wait
local function count_turn(state, change)
  if not state[PARTITION] then return end
  local turn = turn_of(state[QUEUE], string.sub(state[PLACE], 1, 8), state[PARTITION])
  turn[1] = turn[1] + change
  if change > 0 then turn[2] = math.max(turn[1] > 1 and turn[2] or 0, (struct.unpack('>I4', state[PLACE], 9))) end
end

local function gather_turns_of(queue, partitions)
  for name, turn in pairs(partitions) do
    if turn[1] > 0 then
      gather(additions, 'HSET', key('turns', queue), name, cmsgpack.pack(turn))
    else
      gather(removals, 'HDEL', key('turns', queue), name)
    end
  end
  turns[queue] = nil
end

local function flush()
  for queue, partitions in pairs(turns) do
    if partitions then gather_turns_of(queue, partitions) end
  end
  for _, batch in pairs(removals) do call(unpack(batch)) end
  for _, batch in pairs(additions) do call(unpack(batch)) end
  for queue, has_news in pairs(rung) do
    if has_news then call('PUBLISH', base .. ':bell', queue) end
  end
  removals, additions, rung = {}, {}, {}
end

-- the first time in a sorted set of times, or nothing
local function first_time(name)
  return tonumber(call('ZRANGE', name, '0', '0', 'WITHSCORES')[2] or false)
end

-- members of a sorted set of times that are not in the future, so many at most
local function due_in(name, most)
  local first = first_time(name)
  if not first or first > now() then return {} end
  return call('ZRANGE', name, '-inf', written_moment, 'BYSCORE', 'LIMIT', '0', most)
end

local function load_states(ids)
  if #ids == 0 then return {} end
  local states = call('HMGET', STATES, unpack(ids))
  for i, packed in ipairs(states) do states[i] = packed and cmsgpack.unpack(packed) end
  return states
end

local function load_state(id)
  return load_states({id})[1]
end

-- puts a job in line, now or (run_at) later, and rings where nobody would come by himself: the line was empty, or
-- got an earlier time
local function line_up(state, run_at)
  local queue = state[QUEUE]
  if not run_at or run_at <= now() then
    local ready = key('ready', queue)
    if rung[queue] == nil then rung[queue] = call('ZCARD', ready) == 0 end
    add(ready, '0', state[PLACE])
    return
  end
  local due = key('due', queue)
  local earliest = first_time(due)
  if not earliest or earliest > run_at then rung[queue] = true end
  add(due, written(run_at), state[PLACE])
end
