#!lua
-- Cancel an order: give its units back exactly once, whoever repeats or races it.
--
-- KEYS
--   1  outbox   stream  commands on their way to the workers
--   2  figures  hash    running totals of the lane, and its backlog
--   3  record   string  the order record
--   4  sale     hash    epoch, total, limit, product, accepted, returned
--   5  stock    string  units left
--   6  buyers   hash    units by buyer
-- ARGV
--   1  channel   events are published here
--   2  gates     channel on which the gateway processes hear what can be had again
--   3  order_id  the order to cancel
--   4  quantity  units of the order
--   5  buyer     who ordered
-- Returns two values, status and detail
--   1  CANCELLED  1 when this call did it, 0 when it was cancelled before
--   2  FORBIDDEN  the state that forbids it: d delivered, e failed
--   3  ABSENT     0: no record of that order
-- Why atomic: the state of the record is what makes the units return once, so both change together or not at all.

-- @include order_record
-- @include whole

local outbox = KEYS[1]
local figures = KEYS[2]
local record = KEYS[3]
local sale = KEYS[4]
local stock = KEYS[5]
local buyers = KEYS[6]
local channel = ARGV[1]
local gates = ARGV[2]
local order_id = ARGV[3]
local quantity = ARGV[4]
local buyer = ARGV[5]

local found = redis.call('GET', record)
if not found or record_order_id(found) ~= order_id then
    return {3, 0}
end
local state = record_state(found, record)
if state == 'x' then
    return {1, 0}
end
if state ~= 'a' and state ~= 'p' then
    return {2, state}
end
redis.call('XLEN', outbox)
redis.call('HGET', figures, 'backlog')
local current = redis.call('HMGET', sale, 'epoch', 'total', 'product', 'returned')
local left = whole(redis.call('GET', stock))
local bought = tonumber(redis.call('HGET', buyers, buyer))
local live = left and current[1] == record_epoch(found) and current[2] and current[3] and whole(current[4])
local clock = redis.call('TIME')

-- The record lives until a worker has told Postgres: as long as it stands, nothing can cancel a second time.
redis.call('SET', record, 'x' .. string.sub(found, 2))
-- Units of a closed epoch go back to no stock: the new sale opened with a number of its own.
if live then
    redis.call('INCRBY', stock, quantity)
    redis.call('HINCRBY', sale, 'returned', quantity)
    if bought then
        redis.call('HSET', buyers, buyer, math.max(0, bought - tonumber(quantity)))
    end
    redis.call('PUBLISH', gates, 's' .. current[3])
    redis.call('PUBLISH', channel, string.format('inventory\t%.0f\t%s\t%s', left + quantity, current[2], current[3]))
end
redis.call('XADD', outbox, '*', 'kind', 'cancelled', 'at', digits(clock[1] * 1000000 + clock[2]),
    order_id, record_epoch(found) .. record_payload(found))
redis.call('HINCRBY', figures, 'backlog', 1)
redis.call('HINCRBY', figures, 'cancelled', 1)
redis.call('PUBLISH', channel, 'order\tcancelled\t' .. order_id .. '\t' .. (current[3] or ''))
return {1, 1}
