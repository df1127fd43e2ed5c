#!lua
-- Look up a cached answer, and where it is not fresh and nobody fills it, take the lease of filling it.
--
-- Who takes a lease is in the index from that moment on, so that an invalidation by pattern finds it. Names that have
-- lapsed leave the index, some with every lease; when it is full, the answer that would lapse first goes too.
--
-- KEYS
--   1  answer  hash  value, filled_ms, lease, lease_ends_ms
--   2  names   zset  names of the family's answers, by when they lapse, milliseconds since 1970
-- ARGV
--   1  name       of the answer
--   2  prefix     what the key of every answer of the family begins with, before its name
--   3  lease      what the caller's lease is to be called
--   4  lease_ms   milliseconds that a lease may be held
--   5  fresh_ms   milliseconds that an answer is fresh
--   6  names_max  names that a family may have
-- Returns four values: status, the lease in force or "", the answer's age in milliseconds or -1, the answer or ""
--   1  FRESH    there is an answer, and nothing to do
--   2  LEASED   the caller is to fill it
--   3  FILLING  somebody else does
-- Why atomic: of all that find nothing only one may fill it, and no answer may be where no pattern finds it.

-- @include cache_index

local answer = KEYS[1]
local names = KEYS[2]
local name = ARGV[1]
local prefix = ARGV[2]
local lease = ARGV[3]
local lease_ms = tonumber(ARGV[4])
local fresh_ms = tonumber(ARGV[5])
local names_max = tonumber(ARGV[6])

-- Several, so that the lapsed go faster than new ones come; few, so that no caller pays for many.
local SWEPT_MAX = 16

local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = redis.call('HMGET', answer, 'value', 'filled_ms', 'lease', 'lease_ends_ms')
local listed = redis.call('ZSCORE', names, name)

local value, age_ms = '', -1
local filled_ms = tonumber(found[2])
-- A clock that was put back makes answers from the future, whose age nobody knows.
if found[1] and filled_ms and filled_ms <= now_ms then
    value, age_ms = found[1], now_ms - filled_ms
end
if age_ms >= 0 and age_ms < fresh_ms then
    return {1, '', age_ms, value}
end
local left_ms = (tonumber(found[4]) or 0) - now_ms
if found[3] and left_ms > 0 and left_ms <= lease_ms then
    return {3, found[3], age_ms, value}
end

local lapsed = redis.call('ZRANGEBYSCORE', names, '-inf', cache_ms(now_ms - CACHE_LINGER_MS), 'LIMIT', 0, SWEPT_MAX)
if #lapsed > 0 then
    redis.call('ZREM', names, unpack(lapsed))
end
if not listed and redis.call('ZCARD', names) >= names_max then
    local first = redis.call('ZPOPMIN', names)[1]
    redis.call('UNLINK', prefix .. first)
end
redis.call('HSET', answer, 'lease', lease, 'lease_ends_ms', cache_ms(now_ms + lease_ms))
local ends_ms = math.max(redis.call('PEXPIRETIME', answer), now_ms + lease_ms)
redis.call('PEXPIREAT', answer, cache_ms(ends_ms))
cache_note(names, name, ends_ms)
return {2, lease, age_ms, value}
