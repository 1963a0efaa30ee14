-- Shows the head of the line, where there are limits. ARGV: now, repeated, queue, max_crashes, message of a crash, how
-- many to show. Answers now, when the queue is due next, and {id, document, state} for each job.
local queue, limit = ARGV[3], tonumber(ARGV[6])
if not bring_forward(queue, tonumber(ARGV[4]), ARGV[5]) then return {now(), false} end
for _, slot in ipairs(due_in(key('freed', queue), AT_ONCE)) do touched[slot] = {} end
conclude()

local ids, shown = ids_of(call('ZRANGE', key('ready', queue), 0, limit - 1)), {now(), false}
if #ids == 0 then return {now(), next_time(queue, {'due', 'running', 'freed'})} end
local documents = call('HMGET', JOBS, unpack(ids))
for i, state in ipairs(load_states(ids)) do shown[i + 2] = {ids[i], documents[i], state} end
return shown
