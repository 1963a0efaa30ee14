-- Puts down a part of a batch, of which nothing is a job yet. ARGV: now, repeated, batch, how much of it lies there
-- before, for how many milliseconds it is kept, then what is to lie there.
local staged = key('staged', ARGV[3])
if call('LLEN', staged) == tonumber(ARGV[4]) then call('RPUSH', staged, unpack(ARGV, 6)) end
call('PEXPIRE', staged, ARGV[5])
