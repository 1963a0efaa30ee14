-- Claims what is ready, where no limit is. ARGV: now, repeated, queue, max_crashes, message of a crash, limit, lease, token.
-- Answers now, when the queue is due next, and {id, document, state} for each job.
local queue, limit, lease_end, token = ARGV[3], tonumber(ARGV[6]), written(now() + tonumber(ARGV[7])), ARGV[8]
if not bring_forward(queue, tonumber(ARGV[4]), ARGV[5]) then return {now(), false} end

local ids, claims = {}, {now(), false}
local popped = call('ZPOPMIN', key('ready', queue), ARGV[6])
for i = 1, #popped, 2 do ids[#ids + 1] = id_of(popped[i]) end
is_alone = #ids == 1
if #ids > 0 then
  local documents = call('HMGET', JOBS, unpack(ids))
  for i, state in ipairs(load_states(ids)) do
    start_running(ids[i], state, token, lease_end, false)
    claims[i + 2] = {ids[i], documents[i], state}
  end
  conclude()
end
if #ids < limit then claims[2] = next_time(queue, {'due', 'running'}) end
return claims
