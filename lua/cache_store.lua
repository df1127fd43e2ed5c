#!lua
-- Keep the answer of whoever holds the lease, and end the lease.
--
-- KEYS
--   1  answer  hash  value, filled_ms, lease, lease_ends_ms
--   2  names   zset  names of the family's answers, by when they lapse, milliseconds since 1970
-- ARGV
--   1  name     of the answer
--   2  lease    what the caller's lease is called
--   3  kept_ms  milliseconds that the answer is kept
--   4  value    the answer
-- Returns 1 when it is kept, 0 when the lease is no longer the caller's
-- Why atomic: an invalidation deletes the lease with the answer, so what was asked before it is never kept after it.

-- @include cache_index

local answer = KEYS[1]
local names = KEYS[2]
local name = ARGV[1]
local lease = ARGV[2]
local kept_ms = tonumber(ARGV[3])
local value = ARGV[4]

if redis.call('HGET', answer, 'lease') ~= lease then
    return 0
end
redis.call('ZCARD', names)
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', answer, 'value', value, 'filled_ms', cache_ms(now_ms))
redis.call('HDEL', answer, 'lease', 'lease_ends_ms')
redis.call('PEXPIREAT', answer, cache_ms(now_ms + kept_ms))
cache_note(names, name, now_ms + kept_ms)
return 1
