#!lua
-- Take a token from each of several buckets, or from none of them; or give one back to each; or empty them.
--
-- KEYS
--   then 1 per bucket: token bucket (hash: level, at_us)
-- ARGV
--   1  tokens  1: take one from each; -1: give one back to each; 0: leave none in any
--   then 2 per bucket: nano-tokens per microsecond that it gains, with a fraction, nano-tokens that it holds
-- Returns 0 when that is done; else nothing was taken, and these are the microseconds until all buckets hold a token
-- Why atomic: a try that one bucket refuses must cost the others nothing, and no crowd may pass on one last token.

-- @include token_bucket

local tokens = tonumber(ARGV[1])

local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local buckets = {}
local wait = 0
for b, key in ipairs(KEYS) do
    local refill, capacity = tonumber(ARGV[2 * b]), tonumber(ARGV[2 * b + 1])
    local stored = redis.call('HMGET', key, 'level', 'at_us')
    local level = refilled(stored[1], stored[2], now_us, refill, capacity)
    buckets[b] = {key = key, refill = refill, capacity = capacity, level = level}
    if tokens > 0 then
        wait = math.max(wait, wait_us(level, refill))
    end
end
if wait > 0 then
    return wait
end
for _, bucket in ipairs(buckets) do
    local level = tokens ~= 0 and math.min(bucket.capacity, bucket.level - tokens * TOKEN) or 0
    -- Half a nano-token may be lost or won here: of a rate as slow as one in three minutes, a tenth of a microsecond.
    redis.call('HSET', bucket.key, 'level', string.format('%.0f', level), 'at_us', string.format('%.0f', now_us))
    -- By then it is full, which is what a bucket that is not there counts as.
    redis.call('PEXPIRE', bucket.key, math.max(1000, math.ceil(bucket.capacity / bucket.refill / 1000)))
end
return 0
