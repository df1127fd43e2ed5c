-- The record of one order: what a repeated idempotency key, a status request and a cancellation are answered from.
--
-- One string of fixed columns, so that no parser runs in the hot path:
--   1      state     a accepted, p persisted, d delivered (fulfilled), x cancelled, e failed
--   2-37   order id  36 characters
--   38-53  at_us     16 digits, when it was accepted, by the clock of Redis
--   54-69  epoch     16 digits, the sale epoch it counts against
--   70-    payload   the order as the gateway encoded it; equal payloads are the same request (the fingerprint)

-- The state of the record at this key. One that stands and has an end is persisted: settling it writes its end alone,
-- which costs half of writing it anew, to Redis and to its file.
local function record_state(record, key)
    local state = string.sub(record, 1, 1)
    if state == 'a' and redis.call('PTTL', key) >= 0 then
        return 'p'
    end
    return state
end

local function record_order_id(record)
    return string.sub(record, 2, 37)
end

local function record_epoch(record)
    return string.sub(record, 54, 69)
end

local function record_payload(record)
    return string.sub(record, 70)
end

-- Whether a stored text can stand in the epoch's column.
local function is_epoch(text)
    return text and string.find(text, '^%d+$') and #text == 16
end

local function digits(number)
    return string.format('%016.0f', number)
end
