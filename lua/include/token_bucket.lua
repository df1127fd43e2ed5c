-- A token bucket in integer arithmetic, so that no rate and no capacity loses a fraction.
--
-- level and capacity are in nano-tokens (1 token = 1e9), refill in nano-tokens per microsecond (= tokens/s * 1000).
-- All values stay below 2^53, where a Lua number is an exact integer.
local TOKEN = 1000000000

-- The level at now_us of a bucket that stood at `level` at at_us. A bucket never seen is full.
local function refilled(level, at_us, now_us, refill, capacity)
    if not level or not at_us then
        return capacity
    end
    -- A clock that stepped back gives nothing, and is then believed: waiting for it to catch up would stop the sale.
    local elapsed_us = math.max(0, now_us - tonumber(at_us))
    if elapsed_us >= capacity / refill then
        return capacity
    end
    return math.min(capacity, tonumber(level) + elapsed_us * refill)
end

-- Microseconds until the bucket holds a whole token; 0 when it does.
local function wait_us(level, refill)
    return math.max(0, math.ceil((TOKEN - level) / refill))
end
