-- What the operations on jobs share; it stands before each of them.
--
-- Every key starts with KEYS[1], whose hash tag keeps all of them in one slot of a cluster:
--   jobs       hash   id -> document (what never changes, as the client wrote it)
--   states     hash   id -> packed state (the fields below)
--   order      zset   id by sequence number: the list, newest last
--   ready:Q    zset   places, all of score 0: their bytes are the order in which they are claimed
--   due:Q      zset   places by the time at which they get ready
--   running:Q  zset   places by the end of their lease
--   completed:Q, failed:Q, dead_letter:Q   zset   ids by the time at which they ended
--   keys:Q     hash   idempotency key -> id of its job, or what is left of a deleted one
--   forgotten:Q zset  idempotency keys of deleted jobs by the time at which they are free
--   unique:Q   hash   unique key -> id of the unfinished job that has it
--   queues, paused    sets of queue names
-- A place is 8 bytes of inverted priority, 8 bytes of sequence number, 16 bytes of id.
-- Times are whole microseconds; a number is never put into text with `..`, which keeps 14 digits only.
-- Writes that free memory come first: a server out of memory refuses a script at its first write or not at all.
local call, base = redis.call, KEYS[1]
local JOBS, STATES, ORDER = base .. ':jobs', base .. ':states', base .. ':order'
local STATUS, QUEUE, TYPE, PLACE, MAX_RETRIES, SCHEDULED_AT, IDEMPOTENCY_KEY, UNIQUE_KEY = 1, 2, 3, 4, 5, 6, 7, 8
local RETRIES, CRASHES, TOKEN, STARTED_AT, COMPLETED_AT, FAILED_AT, ERROR, RESULT = 9, 10, 11, 12, 13, 14, 15, 16
local ABORT = 17
local ENDED = {completed = true, failed = true, dead_letter = true}

local function key(kind, queue)
  return base .. ':' .. kind .. ':' .. queue
end

local function store_time(given)
  if given ~= '' then return tonumber(given) end
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local now, repeated = store_time(ARGV[1]), ARGV[2] == '1'

local function id_of(place)
  return string.sub(place, 17)
end

-- commands that can wait for the end are gathered: one call for all members of a key
local batches, first_batches, last_batches, rung = {}, {}, {}, {}

local function gather(into, command, name, value, other)
  local batch = batches[command .. name]
  if not batch then
    batch = {command, name}
    batches[command .. name] = batch
    into[#into + 1] = batch
  end
  batch[#batch + 1] = value
  if other then batch[#batch + 1] = other end
end

local function remove(name, member) gather(first_batches, 'ZREM', name, member) end
local function add(name, score, member) gather(last_batches, 'ZADD', name, score, member) end
local function save(id, state) gather(last_batches, 'HSET', STATES, id, cmsgpack.pack(state)) end

local function flush()
  for _, batch in ipairs(first_batches) do call(unpack(batch)) end
  for _, batch in ipairs(last_batches) do call(unpack(batch)) end
  for queue, has_news in pairs(rung) do
    if has_news then call('PUBLISH', base .. ':bell', queue) end
  end
  batches, first_batches, last_batches, rung = {}, {}, {}, {}
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

-- puts a job in line, and rings where nobody would come by himself: the line was empty, or got an earlier time
local function line_up(state, run_at)
  local queue = state[QUEUE]
  if run_at <= now then
    local ready = key('ready', queue)
    if rung[queue] == nil then rung[queue] = call('ZCARD', ready) == 0 end
    add(ready, 0, state[PLACE])
    return
  end
  local due = key('due', queue)
  local earliest = call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  if not earliest or tonumber(earliest) > run_at then rung[queue] = true end
  add(due, run_at, state[PLACE])
end

local function free_unique(id, state)
  if not state[UNIQUE_KEY] then return end
  local name = key('unique', state[QUEUE])
  if call('HGET', name, state[UNIQUE_KEY]) == id then call('HDEL', name, state[UNIQUE_KEY]) end
end

local function finish(id, state, status, message)
  free_unique(id, state)
  state[STATUS], state[ERROR], state[ABORT] = status, message, false
  state[status == 'completed' and COMPLETED_AT or FAILED_AT] = now
  add(key(status, state[QUEUE]), now, id)
  save(id, state)
end

-- a running job that nobody else has claimed meanwhile; without a token any claim is meant
local function is_held(state, token)
  return state and state[STATUS] == 'running' and (token == '' or state[TOKEN] == token)
end

-- the answer was given, but its reply got lost on the way
local function is_answered(state, token)
  return repeated and state and state[STATUS] ~= 'running' and token ~= '' and state[TOKEN] == token
end

local function stop_running(state)
  remove(key('running', state[QUEUE]), state[PLACE])
end

local function wait_again(id, state, status, run_at)
  state[STATUS], state[STARTED_AT] = status, false
  line_up(state, run_at)
  save(id, state)
end

-- somebody asked for the end of this run: instead of waiting again the job ends as it is
local function is_aborted(id, state)
  if state[ABORT] then finish(id, state, 'failed', state[ABORT]) end
  return state[STATUS] == 'failed'
end

local function release(id, state, run_at)
  stop_running(state)
  if is_aborted(id, state) then return end
  local has_run = state[RETRIES] > 0 or state[CRASHES] > 0
  wait_again(id, state, has_run and 'retrying' or (state[SCHEDULED_AT] and 'scheduled' or 'pending'), run_at)
end

-- gives back what has expired in a queue, a bounded number at once; returns how many
local function expire(queue, max_crashes, message)
  local places = call('ZRANGE', key('running', queue), '-inf', now, 'BYSCORE', 'LIMIT', 0, 500)
  local ids = {}
  for i, place in ipairs(places) do ids[i] = id_of(place) end
  for i, state in ipairs(load_states(ids)) do
    stop_running(state)
    local crashes = state[CRASHES] + 1
    if crashes > max_crashes then
      state[CRASHES] = crashes
      finish(ids[i], state, 'dead_letter', message .. ' (' .. crashes .. ' times)')
    elseif not is_aborted(ids[i], state) then
      state[CRASHES], state[ERROR] = crashes, message
      wait_again(ids[i], state, 'retrying', now)
    end
  end
  return #places
end

local function delete(id, state, held_for)
  local queue, status, name = state[QUEUE], state[STATUS], state[IDEMPOTENCY_KEY]
  if ENDED[status] then
    remove(key(status, queue), id)
  else
    remove(key('ready', queue), state[PLACE])
    remove(key('due', queue), state[PLACE])
  end
  remove(ORDER, id)
  gather(first_batches, 'HDEL', JOBS, id)
  gather(first_batches, 'HDEL', STATES, id)
  free_unique(id, state)
  if name and call('HGET', key('keys', queue), name) == id then
    local expires_at = (state[COMPLETED_AT] or state[FAILED_AT] or now) + held_for
    local left = {id, ENDED[status] and status or 'failed', expires_at}
    call('HSET', key('keys', queue), name, cmsgpack.pack(left))
    add(key('forgotten', queue), expires_at, name)
  end
end
