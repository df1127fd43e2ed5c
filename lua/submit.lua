#!lua
-- Hand a command to a worker, unless too many wait for it already.
--
-- KEYS
--   1  commands  stream  commands for one worker
-- ARGV
--   1  waiting_max  commands that may wait
--   2  command      the command, as it crosses the bus
-- Returns 1 when it is on its way, 0 when too many wait and nothing was taken
-- Why atomic: what counts how many wait adds to them in the same step, so that no crowd gets past the limit together.

local commands = KEYS[1]
local waiting_max = tonumber(ARGV[1])
local command = ARGV[2]

if redis.call('XLEN', commands) >= waiting_max then
    return 0
end
redis.call('XADD', commands, '*', 'command', command)
return 1
