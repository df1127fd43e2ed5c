#!lua
-- Put a dead-lettered command back into the outbox, as an entry of its own.
--
-- KEYS
--   1  outbox   stream  commands on their way to the workers
--   2  dead     stream  commands that no worker could handle
--   3  figures  hash    running totals of the lane, and its backlog
-- ARGV
--   1  entry_id  the dead entry
-- Returns 1 when the command is on its way again, 0 when there is no such entry
-- Why atomic: the command is in exactly one of the two streams at every moment.

local outbox = KEYS[1]
local dead = KEYS[2]
local figures = KEYS[3]
local entry_id = ARGV[1]

redis.call('XLEN', outbox)
redis.call('HGET', figures, 'backlog')
local found = redis.call('XRANGE', dead, entry_id, entry_id)
-- Half an id finds a whole one, which XDEL would then not delete.
if #found == 0 or found[1][1] ~= entry_id then
    return 0
end
local fields = {}
for i = 1, #found[1][2], 2 do
    fields[found[1][2][i]] = found[1][2][i + 1]
end
redis.call('XADD', outbox, '*', 'kind', fields.kind, 'at', fields.at, fields.name, fields.value)
redis.call('XDEL', dead, entry_id)
redis.call('HINCRBY', figures, 'backlog', 1)
return 1
