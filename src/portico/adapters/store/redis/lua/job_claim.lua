-- Gives back what has expired, then claims what is ready. ARGV: now, repeated, queue, limit, lease, token,
-- max_crashes, message of a crash. Answers now, when the queue is due next, and {id, document, state} for each job.
local queue, limit, lease_end = ARGV[3], tonumber(ARGV[4]), now + tonumber(ARGV[5])
local ready, due, running = key('ready', queue), key('due', queue), key('running', queue)
if expire(queue, tonumber(ARGV[7]), ARGV[8]) > 0 then flush() end
if call('SISMEMBER', base .. ':paused', queue) == 1 then return {now, false} end

local overdue = call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1000)
if #overdue > 0 then
  for _, place in ipairs(overdue) do
    remove(due, place)
    add(ready, 0, place)
  end
  flush()
end

local popped = call('ZPOPMIN', ready, limit)
local ids, claims = {}, {now, false}
for i = 1, #popped, 2 do
  ids[#ids + 1] = id_of(popped[i])
  add(running, lease_end, popped[i])
end
if #ids > 0 then
  local documents = call('HMGET', JOBS, unpack(ids))
  for i, state in ipairs(load_states(ids)) do
    state[STATUS], state[STARTED_AT], state[TOKEN] = 'running', now, ARGV[6]
    save(ids[i], state)
    claims[i + 2] = {ids[i], documents[i], state}
  end
  flush()
end
if #ids < limit then
  local next_due = call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  local next_end = call('ZRANGE', running, 0, 0, 'WITHSCORES')[2]
  if next_due or next_end then
    claims[2] = math.min(tonumber(next_due or next_end), tonumber(next_end or next_due))
  end
end
return claims
