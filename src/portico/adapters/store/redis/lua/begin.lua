-- The start of each call: the library lives on between them, so what one gathered must not reach the next.
local function begin(keys, arguments)
  call = redis.call
  if base ~= keys[1] then
    base = keys[1]
    JOBS, STATES, ORDER, RECORDS = base .. ':jobs', base .. ':states', base .. ':order', base .. ':slots'
  end
  moment, written_moment, repeated = tonumber(arguments[1]), arguments[1], arguments[2] == '1'
  removals, additions, rung, is_alone = {}, {}, {}, false
  turns, heads, touched = {}, {}, {}
end
