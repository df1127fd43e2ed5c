#!lua
-- Mark an order as delivered: from then on nobody can cancel it.
--
-- KEYS
--   1  record  string  the order record
-- ARGV
--   1  order_id  the order to mark
--   2  ttl_ms    milliseconds that the record is kept from now on; 0: without an end, until Postgres knows
-- Returns two values, status and detail
--   1  FULFILLED  1 when this call did it, 0 when it was delivered before
--   2  FORBIDDEN  the state that forbids it: x cancelled, e failed
--   3  ABSENT     0: no record of that order
-- Why atomic: the state of the record decides between a delivery and a cancellation, so it is read and written at once.

-- @include order_record

local record = KEYS[1]
local order_id = ARGV[1]
local ttl_ms = tonumber(ARGV[2])

local found = redis.call('GET', record)
if not found or record_order_id(found) ~= order_id then
    return {3, 0}
end
local state = record_state(found, record)
if state ~= 'a' and state ~= 'p' and state ~= 'd' then
    return {2, state}
end
if state ~= 'd' then
    redis.call('SET', record, 'd' .. string.sub(found, 2))
end
if ttl_ms > 0 and redis.call('PTTL', record) < 0 then
    redis.call('PEXPIRE', record, ttl_ms)
end
return {1, state == 'd' and 0 or 1}
