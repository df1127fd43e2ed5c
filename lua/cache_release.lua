#!lua
-- Give a lease back without an answer, so that the next reader may try at once.
--
-- KEYS
--   1  answer  hash  value, filled_ms, lease, lease_ends_ms
-- ARGV
--   1  lease  what the caller's lease is called
-- Returns 1 when it was given back, 0 when it was no longer the caller's
-- Why atomic: the lease of somebody else, taken after ours had lapsed, must stay.

local answer = KEYS[1]
local lease = ARGV[1]

if redis.call('HGET', answer, 'lease') ~= lease then
    return 0
end
redis.call('HDEL', answer, 'lease', 'lease_ends_ms')
return 1
