#!lua
-- Put a dead-lettered command of the bus back into the stream of its worker, as a command that has not been tried yet.
--
-- KEYS
--   1  commands       stream  commands for one worker
--   2  dead_commands  stream  commands that it could not handle
-- ARGV
--   1  entry_id  the dead entry
--   2  command   the command as it is handed in again
-- Returns 1 when the command is on its way again, 0 when there is no such entry
-- Why atomic: the command is in exactly one of the two streams at every moment.

local commands = KEYS[1]
local dead_commands = KEYS[2]
local entry_id = ARGV[1]
local command = ARGV[2]

redis.call('XLEN', commands)
local found = redis.call('XRANGE', dead_commands, entry_id, entry_id)
-- Half an id finds a whole one, which XDEL would then not delete.
if #found == 0 or found[1][1] ~= entry_id then
    return 0
end
redis.call('XADD', commands, '*', 'command', command)
redis.call('XDEL', dead_commands, entry_id)
return 1
