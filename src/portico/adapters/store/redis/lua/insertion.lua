-- Storing new jobs, for what takes them from a call or from a batch that was staged.
-- Of each job there are, one after another: id, queue, type, inverted priority, document, max_retries, scheduled_at,
-- idempotency key, unique key, partition ('' for none).
local WIDTH = 10

local function holder_of_key(queue, name, held_for, fresh)
  local held = call('HGET', key('keys', queue), name)
  if not held or fresh[held] then return held end
  if #held ~= 16 then return cmsgpack.unpack(held)[3] > now() and held end
  local state = load_state(held)
  if not state then return false end
  return (not ENDED[state[STATUS]] or (state[COMPLETED_AT] or state[FAILED_AT]) + held_for > now()) and held
end

-- answers what holds a job's id or key
local function answer_of(holder, id)
  if #holder ~= 16 then
    local forgotten = cmsgpack.unpack(holder)
    -- in schema 1 nothing else was kept of it
    if not forgotten[5] then return {1, forgotten[1], forgotten[2]} end
    return {1, forgotten[1], forgotten[4], forgotten[5]}
  end
  local own = repeated and holder == id
  return {own and 0 or 1, holder, call('HGET', JOBS, holder), load_state(holder)}
end

-- Stores what there is in `parts` from `first` on, in order. Answers for each job 0, or what holds its id or key:
-- {is_duplicate, id, document, state}, {1, id, status}.
local function insert(parts, first, held_for)
  local count = (#parts - first + 1) / WIDTH
  local ids, fresh, holders, answers = {}, {}, {}, {}
  for i = 1, count do ids[i] = parts[first + (i - 1) * WIDTH] end
  local seq = call('INCRBY', base .. ':seq', count) - count
  local existing = call('HMGET', STATES, unpack(ids))
  is_alone = count == 1

  for i = 1, count do
    seq = seq + 1
    local from = first + (i - 1) * WIDTH
    local id, queue, kind, priority, document, max_retries, scheduled_at, idempotency_key, unique_key, partition =
      unpack(parts, from, from + WIDTH - 1)
    local holder = (existing[i] or fresh[id]) and id
      or idempotency_key ~= '' and holder_of_key(queue, idempotency_key, held_for, fresh)
      or unique_key ~= '' and call('HGET', key('unique', queue), unique_key)
    holders[i] = holder
    if not holder then
      fresh[id] = true
      if idempotency_key ~= '' then call('HSET', key('keys', queue), idempotency_key, id) end
      if unique_key ~= '' then call('HSET', key('unique', queue), unique_key, id) end
      if partition == '' and not goes_by_turns(queue) then partition = false end
      local rank = partition and next_rank(queue, priority, partition) or 0
      local state = {
        scheduled_at == '' and 'pending' or 'scheduled', queue, kind,
        priority .. struct.pack('>I4BI7', rank, 255, seq) .. id,
        tonumber(max_retries), scheduled_at ~= '' and scheduled_at, idempotency_key ~= '' and idempotency_key,
        unique_key ~= '' and unique_key, 0, 0, false, false, false, false, false, false,
        false, false, partition,
      }
      count_turn(state, 1)
      gather(additions, 'HSET', JOBS, id, document)
      save(id, state)
      add(ORDER, written(seq), id)
      line_up(state, scheduled_at ~= '' and tonumber(scheduled_at))
      -- a queue that has jobs ready is known
      if rung[queue] or scheduled_at ~= '' then call('SADD', base .. ':queues', queue) end
    end
  end
  flush()

  for i = 1, count do answers[i] = holders[i] and answer_of(holders[i], ids[i]) or 0 end
  return answers
end
