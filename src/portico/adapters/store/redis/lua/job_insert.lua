-- Stores new jobs in order. ARGV: now, repeated, how long idempotency keys are held, then for each job:
-- id, queue, type, rank, document, max_retries, scheduled_at, idempotency key, unique key ('' for none).
-- Answers for each job 0, or what holds its id or key: {is_duplicate, id, document, state}, {1, id, status}.
local WIDTH = 9
local held_for = tonumber(ARGV[3])
local count = (#ARGV - 3) / WIDTH
local ids, fresh, holders, answers = {}, {}, {}, {}
for i = 1, count do ids[i] = ARGV[4 + (i - 1) * WIDTH] end
local seq = call('INCRBY', base .. ':seq', count) - count
local existing = call('HMGET', STATES, unpack(ids))

local function holder_of_key(queue, name)
  now = now or store_time()
  local held = call('HGET', key('keys', queue), name)
  if not held or fresh[held] then return held end
  if #held ~= 16 then return cmsgpack.unpack(held)[3] > now and held end
  local state = load_state(held)
  if not state then return false end
  return (not ENDED[state[STATUS]] or (state[COMPLETED_AT] or state[FAILED_AT]) + held_for > now) and held
end

local function holder_of(id, i, queue, idempotency_key, unique_key)
  if existing[i] or fresh[id] then return id end
  local held = idempotency_key ~= '' and holder_of_key(queue, idempotency_key)
  return held or (unique_key ~= '' and call('HGET', key('unique', queue), unique_key))
end

for i = 1, count do
  seq = seq + 1
  local id, queue, kind, rank, document, max_retries, scheduled_at, idempotency_key, unique_key =
    unpack(ARGV, 4 + (i - 1) * WIDTH, 3 + i * WIDTH)
  holders[i] = holder_of(id, i, queue, idempotency_key, unique_key)
  if not holders[i] then
    fresh[id] = true
    if idempotency_key ~= '' then call('HSET', key('keys', queue), idempotency_key, id) end
    if unique_key ~= '' then call('HSET', key('unique', queue), unique_key, id) end
    local state = {
      scheduled_at == '' and 'pending' or 'scheduled', queue, kind, rank .. struct.pack('>I8', seq) .. id,
      tonumber(max_retries), scheduled_at ~= '' and scheduled_at, idempotency_key ~= '' and idempotency_key,
      unique_key ~= '' and unique_key, 0, 0, false, false, false, false, false, false,
      false,
    }
    gather(additions, 'HSET', JOBS, id, document)
    save(id, state)
    add(ORDER, seq, id)
    if scheduled_at ~= '' then now = now or store_time() end
    line_up(state, scheduled_at ~= '' and tonumber(scheduled_at))
    -- a queue that has jobs ready is known
    if rung[queue] or scheduled_at ~= '' then call('SADD', base .. ':queues', queue) end
  end
end
flush()

for i = 1, count do
  local holder = holders[i]
  if not holder then
    answers[i] = 0
  elseif #holder ~= 16 then
    local forgotten = cmsgpack.unpack(holder)
    answers[i] = {1, forgotten[1], forgotten[2]}
  else
    local own = repeated and holder == ids[i]
    answers[i] = {own and 0 or 1, holder, call('HGET', JOBS, holder), load_state(holder)}
  end
end
return answers
