#!lua flags=allow-oom
-- Settle entries of the outbox after the worker's commit: mark the orders, give units of failed orders back, park
-- poison, acknowledge and delete. Whoever deletes the entry applies it; a second settler finds it gone and does
-- nothing.
--
-- It runs in a full Redis too, for it is what makes room there: entries go, and records get their end.
--
-- KEYS
--   1  outbox   stream  commands on their way to the workers
--   2  dead     stream  commands that no worker can handle, with the reason
--   3  figures  hash    running totals of the lane, and its backlog
--   then 3 per product: sale (hash), stock (string), buyers (hash: units by buyer)
--   then 1 per persisted order: order record (string)
--   then 1 per other outcome:   order record (string)
-- ARGV
--   1  channel        events are published here
--   2  gates          channel on which the gateway processes hear what can be had again
--   3  group          consumer group of the worker
--   4  ttl_ms         milliseconds that a settled record is kept
--   5  product_count
--   6  entry_count
--   7  outcome_count
--   8  dead_count
--   9  persisted_orders  one msgpack list, 3 per persisted order: entry index, 'a' and the order id, product index
--   then 2 per entry:           entry id, commands in it
--   then 7 per other outcome:   entry index, order id, outcome, product index, quantity, buyer, record to keep or ""
--        outcome: x cancellation told to Postgres, e failed and its units go back, o failed without units
--   then 6 per dead command: entry index, kind of the entry, its at, name of the field, its value, reason
-- Returns the number of entries that this call settled
-- Why atomic: a unit returns, a record changes and an entry vanishes together, so a crash can only repeat all of it.

-- @include order_record
-- @include whole

local outbox = KEYS[1]
local dead = KEYS[2]
local figures = KEYS[3]
local channel = ARGV[1]
local gates = ARGV[2]
local group = ARGV[3]
local ttl_ms = ARGV[4]
local product_count = tonumber(ARGV[5])
local entry_count = tonumber(ARGV[6])
local outcome_count = tonumber(ARGV[7])
local dead_count = tonumber(ARGV[8])
local persisted_orders = cmsgpack.unpack(ARGV[9])

local FIXED_KEYS, FIXED_ARGV, PER_PRODUCT, PER_ENTRY, PER_PERSISTED, PER_OUTCOME, PER_DEAD = 3, 9, 3, 2, 3, 7, 6
local persisted_count = #persisted_orders / PER_PERSISTED
local records_from = FIXED_KEYS + PER_PRODUCT * product_count
local others_from = records_from + persisted_count
local outcomes_from = FIXED_ARGV + PER_ENTRY * entry_count
-- Lua's stack holds some thousand values; more cannot be unpacked at once.
local UNPACKED_MAX = 1000
local dead_from = outcomes_from + PER_OUTCOME * outcome_count

-- Read everything first: a key of the wrong type raises before anything has been written.
redis.call('XLEN', dead)
redis.call('XLEN', outbox)
local backlog = tonumber(redis.call('HGET', figures, 'backlog')) or 0
local records = {}
for first = 1, persisted_count, UNPACKED_MAX do
    local last = math.min(persisted_count, first + UNPACKED_MAX - 1)
    for i, record in ipairs(redis.call('MGET', unpack(KEYS, records_from + first, records_from + last))) do
        records[first + i - 1] = record
    end
end
local others = {}
for i = 1, outcome_count do
    others[i] = redis.call('GET', KEYS[others_from + i])
end
local sales = {}
for p = 1, product_count do
    local key = FIXED_KEYS + PER_PRODUCT * (p - 1) + 1
    local sale = redis.call('HMGET', KEYS[key], 'epoch', 'total', 'product', 'returned')
    local left = whole(redis.call('GET', KEYS[key + 1]))
    redis.call('HLEN', KEYS[key + 2])
    sales[p] = {
        key = key, epoch = sale[1], total = sale[2], product = sale[3] or '', left = left, returned = 0,
        live = left and sale[2] and sale[3] and whole(sale[4]),
    }
end

local mine = {}
local settled = 0
for e = 1, entry_count do
    local at = FIXED_ARGV + PER_ENTRY * (e - 1)
    if redis.call('XDEL', outbox, ARGV[at + 1]) == 1 then
        redis.call('XACK', outbox, group, ARGV[at + 1])
        mine[e] = true
        settled = settled + 1
        backlog = backlog - tonumber(ARGV[at + 2])
    end
end

local watched = redis.call('PUBSUB', 'NUMSUB', channel)[2] > 0
local events = {}
local persisted, failed = 0, 0
for i = 1, persisted_count do
    local at = PER_PERSISTED * (i - 1)
    if mine[persisted_orders[at + 1]] then
        persisted = persisted + 1
        local record, stands = records[i], persisted_orders[at + 2]
        -- A cancelled record keeps its state, and has no end until Postgres knows of the cancellation too.
        if record and string.sub(record, 1, #stands) == stands then
            redis.call('PEXPIRE', KEYS[records_from + i], ttl_ms)
        end
        if watched then
            local product = sales[persisted_orders[at + 3]].product
            events[#events + 1] = 'order\tpersisted\t' .. string.sub(stands, 2) .. '\t' .. product
        end
    end
end
for i = 1, outcome_count do
    local at = outcomes_from + PER_OUTCOME * (i - 1)
    local order_id, outcome, quantity = ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 5])
    local record = others[i]
    local own = record and record_order_id(record) == order_id
    local key = KEYS[others_from + i]
    local sale = sales[tonumber(ARGV[at + 4])]
    if not mine[tonumber(ARGV[at + 1])] then
        own = false
    elseif outcome == 'x' then
        if own then
            redis.call('PEXPIRE', key, ttl_ms)
        end
    else
        failed = failed + 1
        events[#events + 1] = 'order\tfailed\t' .. order_id .. '\t' .. sale.product
        -- A failed order that its buyer cancelled meanwhile has given its units back already.
        local live = own and record_state(record, key) == 'a'
        if outcome == 'e' and live and sale.live and sale.epoch == record_epoch(record) then
            sale.left = sale.left + quantity
            sale.returned = sale.returned + quantity
            redis.call('INCRBY', KEYS[sale.key + 1], quantity)
            redis.call('HINCRBY', KEYS[sale.key], 'returned', quantity)
            local bought = tonumber(redis.call('HGET', KEYS[sale.key + 2], ARGV[at + 6]))
            if bought then
                redis.call('HSET', KEYS[sale.key + 2], ARGV[at + 6], math.max(0, bought - quantity))
            end
        end
        if live then
            local kept = ARGV[at + 7] ~= '' and ARGV[at + 7] or 'e' .. string.sub(record, 2)
            redis.call('SET', key, kept, 'PX', ttl_ms)
        end
    end
end

for d = 1, dead_count do
    local at = dead_from + PER_DEAD * (d - 1)
    local entry = tonumber(ARGV[at + 1])
    if mine[entry] then
        local source = ARGV[FIXED_ARGV + PER_ENTRY * (entry - 1) + 1]
        redis.call('XADD', dead, '*', 'kind', ARGV[at + 2], 'at', ARGV[at + 3], 'name', ARGV[at + 4],
            'value', ARGV[at + 5], 'reason', ARGV[at + 6], 'entry', source)
    end
end

if settled > 0 then
    -- An empty outbox is the truth; the counter follows it.
    if redis.call('XLEN', outbox) == 0 then
        backlog = 0
    end
    redis.call('HSET', figures, 'backlog', math.max(0, backlog))
    redis.call('HINCRBY', figures, 'persisted', persisted)
    redis.call('HINCRBY', figures, 'failed', failed)
end
for p = 1, product_count do
    local sale = sales[p]
    if sale.returned > 0 then
        redis.call('PUBLISH', gates, 's' .. sale.product)
        events[#events + 1] = string.format('inventory\t%.0f\t%s\t%s', sale.left, sale.total, sale.product)
    end
end
if watched and #events > 0 then
    redis.call('PUBLISH', channel, table.concat(events, '\n'))
end
return settled
