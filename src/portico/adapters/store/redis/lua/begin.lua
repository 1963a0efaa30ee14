-- The start of each call: the library lives on between them, so what one gathered must not reach the next.
local function begin(keys, arguments)
  call, base = redis.call, keys[1]
  JOBS, STATES, ORDER, RECORDS = base .. ':jobs', base .. ':states', base .. ':order', base .. ':slots'
  moment, repeated = tonumber(arguments[1]), arguments[2] == '1'
  removals, additions, rung = {}, {}, {}
  by_turns, turns, heads = {}, {}, {}
  touched = {}
end
