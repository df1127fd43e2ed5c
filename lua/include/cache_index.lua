-- The index of a family of cached answers, by which patterns find them.

-- Milliseconds that a name outlives its answer in the index: a name that went first would hide an answer, and a script
-- may read the clock a moment after the instant by which Redis has judged what has lapsed.
local CACHE_LINGER_MS = 1000

local function cache_ms(number)
    return string.format('%.0f', number)
end

-- Note when an answer lapses. The index itself ends with the last of them.
local function cache_note(names, name, ends_ms)
    redis.call('ZADD', names, cache_ms(ends_ms), name)
    local index_ends_ms = ends_ms + CACHE_LINGER_MS
    if redis.call('PEXPIRETIME', names) < index_ends_ms then
        redis.call('PEXPIREAT', names, cache_ms(index_ends_ms))
    end
end
