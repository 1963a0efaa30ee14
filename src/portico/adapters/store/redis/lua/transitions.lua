-- What happens to stored jobs.
local function free_unique(id, state)
  if not state[UNIQUE_KEY] then return end
  local name = key('unique', state[QUEUE])
  if call('HGET', name, state[UNIQUE_KEY]) == id then call('HDEL', name, state[UNIQUE_KEY]) end
end

local function finish(id, state, status, message)
  free_unique(id, state)
  state[STATUS], state[ERROR], state[ABORT] = status, message, false
  state[status == 'completed' and COMPLETED_AT or FAILED_AT] = now()
  add(key(status, state[QUEUE]), written(now()), id)
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

-- no run ends but through here, and so none keeps a slot
local function stop_running(state)
  remove(key('running', state[QUEUE]), state[PLACE])
  if not state[SLOTS] then return end
  local hold = hold_of(id_of(state[PLACE]), state[TOKEN])
  for _, slot in ipairs(state[SLOTS]) do call('ZREM', key('holds', slot), hold) end
  let_go(state)
end

local function start_running(id, state, token, lease_end, slots)
  count_turn(state, -1)
  let_go(state)
  state[STATUS], state[STARTED_AT], state[TOKEN], state[SLOTS] = 'running', now(), token, slots
  add(key('running', state[QUEUE]), lease_end, state[PLACE])
  save(id, state)
end

-- takes a waiting job from wherever it waits
local function stop_waiting(state)
  remove(key('ready', state[QUEUE]), state[PLACE])
  remove(key('due', state[QUEUE]), state[PLACE])
  if state[SLOTS] then remove(key('parked', state[QUEUE]), state[SLOTS][1] .. state[PLACE]) end
  count_turn(state, -1)
  let_go(state)
end

local function wait_again(id, state, status, run_at)
  state[STATUS], state[STARTED_AT] = status, false
  count_turn(state, 1)
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

-- gives back what has expired in a queue, so many at once; returns how many
local AT_ONCE = 250

local function expire(queue, max_crashes, message)
  local places = due_in(key('running', queue), AT_ONCE)
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
      wait_again(ids[i], state, 'retrying', now())
    end
  end
  return #places
end

-- deletes a job; while its idempotency key is held, `document` and its state are kept beside it
local function delete(id, state, held_for, document)
  local queue, status, name = state[QUEUE], state[STATUS], state[IDEMPOTENCY_KEY]
  if ENDED[status] then
    remove(key(status, queue), id)
  else
    stop_waiting(state)
  end
  remove(ORDER, id)
  gather(removals, 'HDEL', JOBS, id)
  gather(removals, 'HDEL', STATES, id)
  free_unique(id, state)
  if name and call('HGET', key('keys', queue), name) == id then
    local expires_at = (state[COMPLETED_AT] or state[FAILED_AT] or now()) + held_for
    state[STATUS] = ENDED[status] and status or 'failed'
    local left = {id, state[STATUS], expires_at, document or call('HGET', JOBS, id), state}
    gather(additions, 'HSET', key('keys', queue), name, cmsgpack.pack(left))
    add(key('forgotten', queue), written(expires_at), name)
  end
end
