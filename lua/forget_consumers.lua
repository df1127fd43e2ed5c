#!lua
-- Forget the consumers of a group that hold nothing and were not seen for long: processes that have ended.
--
-- KEYS
--   1  outbox   stream  commands on their way to the workers
-- ARGV
--   1  group    consumer group
--   2  idle_ms  milliseconds; who was seen since then stays
-- Returns the number of consumers forgotten; 0 where there is no such group
-- Why atomic: a consumer that comes back and is given entries between the look and the deletion would take them with
-- it, and nobody would ever be given them again.

local outbox = KEYS[1]
local group = ARGV[1]
local idle_ms = tonumber(ARGV[2])

-- XINFO answers with a list of names and values for each.
local function fields(info)
    local found = {}
    for i = 1, #info, 2 do
        found[info[i]] = info[i + 1]
    end
    return found
end

if redis.call('EXISTS', outbox) == 0 then
    return 0
end
local stands = false
for _, info in ipairs(redis.call('XINFO', 'GROUPS', outbox)) do
    stands = stands or fields(info).name == group
end
local gone = 0
for _, info in ipairs(stands and redis.call('XINFO', 'CONSUMERS', outbox, group) or {}) do
    local consumer = fields(info)
    if consumer.pending == 0 and consumer.idle > idle_ms then
        redis.call('XGROUP', 'DELCONSUMER', outbox, group, consumer.name)
        gone = gone + 1
    end
end
return gone
