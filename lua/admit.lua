#!lua
-- Decide a batch of waiting requests in one atomic step: orders first, then reads.
--
-- An order is decided in this order: replay of its key, sale, backlog, token bucket, nothing left at all, limit per
-- buyer, too little left. That nothing is left comes first, because gateways say it from memory. An accept
-- takes the units, writes the order record and appends the order to the outbox; there is no state in between.
-- Replays, mismatches and orders that no sale could take cost no token; refusals leave their key unused.
--
-- KEYS
--   1  bucket   hash    token bucket of the lane: level, at_us
--   2  outbox   stream  commands on their way to the workers, one entry per batch
--   3  figures  hash    running totals of the lane, and its backlog
--   then 3 per product: sale (hash), stock (string), buyers (hash: units by buyer)
--   then 1 per client:  client bucket (hash: level, at_us)
--   then 1 per order:   order record (string), found by the idempotency key
--   then 1 per status read: order record (string), found by the order id
-- ARGV
--   1   channel          events are published here
--   2   gates            channel on which the gateway processes hear of accepted orders
--   3   refill           nano-tokens per microsecond that the bucket gains
--   4   capacity         nano-tokens that the bucket holds
--   5   client_refill    the same of each client's bucket
--   6   client_capacity
--   7   backlog_max      commands that may wait in the outbox
--   8   product_count
--   9   client_count
--   10  order_count
--   11  status_count
--   12  read_count       reads in all, status reads first
--   13  diverted         orders that the caller refused from memory since its last call, for the figures
--   14  sold_out         the same of those that found everything sold
--   15  requests         a flat array in MessagePack, which costs half of as many arguments:
--                        6 per order: product index, client index (0: none), quantity, buyer, order id, payload
--                        then 2 per read: product index (0: none), client index (0: none)
-- Returns, two values per order and then per read
--   1   ACCEPTED         0
--   2   REPLAYED         id of the order that the key already made
--   3   MISMATCH         0: the key belongs to another request
--   4   THROTTLED        microseconds until the bucket holds a token
--   5   LIMIT_REACHED    units that one buyer may have
--   6   SOLD_OUT         units left, fewer than asked for
--   7   UNKNOWN_PRODUCT  0
--   8   NOT_READY        0: the sale or its stock is missing or damaged while the other stands; missing is not zero
--   9   BACKLOGGED       commands waiting
--   10  FOUND            order record; or "left:total" of the product; or 0 for a read that only wants a token
--   11  ABSENT           0: no record of that order
-- and last, per product: units left, or -1 where no sale is ready; then the bucket's wait_us and its whole tokens
-- Why atomic: stock, key, bucket and outbox must never disagree, whichever process dies at whichever moment.
-- Everything is checked, types included, before the first write; nothing after it can fail.

-- @include token_bucket
-- @include order_record
-- @include whole

local bucket = KEYS[1]
local outbox = KEYS[2]
local figures = KEYS[3]
local channel = ARGV[1]
local gates = ARGV[2]
local refill = tonumber(ARGV[3])
local capacity = tonumber(ARGV[4])
local client_refill = tonumber(ARGV[5])
local client_capacity = tonumber(ARGV[6])
local backlog_max = tonumber(ARGV[7])
local product_count = tonumber(ARGV[8])
local client_count = tonumber(ARGV[9])
local order_count = tonumber(ARGV[10])
local status_count = tonumber(ARGV[11])
local read_count = tonumber(ARGV[12])
local diverted = tonumber(ARGV[13])
local sold_out = tonumber(ARGV[14])
local requests = cmsgpack.unpack(ARGV[15])

local FIXED_KEYS, PER_PRODUCT, PER_ORDER, PER_READ = 3, 3, 6, 2
local clients_from = FIXED_KEYS + PER_PRODUCT * product_count
local records_from = clients_from + client_count
local reads_from = PER_ORDER * order_count

local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now = digits(now_us)

-- 1. Read everything. A key of the wrong type raises here, before anything has been written.
redis.call('XLEN', outbox)
local backlog = tonumber(redis.call('HGET', figures, 'backlog')) or 0
local stored = redis.call('HMGET', bucket, 'level', 'at_us')
local level = refilled(stored[1], stored[2], now_us, refill, capacity)

local sales = {}
for p = 1, product_count do
    local key = FIXED_KEYS + PER_PRODUCT * (p - 1) + 1
    local sale = redis.call('HMGET', KEYS[key], 'epoch', 'total', 'limit', 'product', 'accepted')
    local stock = redis.call('GET', KEYS[key + 1])
    local left = whole(stock)
    sales[p] = {
        key = key, known = sale[1] or stock, epoch = sale[1], total = sale[2], limit = tonumber(sale[3]) or 0,
        product = sale[4], left = left, taken = 0, bought = {},
        ready = is_epoch(sale[1]) and whole(sale[2]) and sale[4] and whole(sale[5]) and left,
    }
end

local levels = {}
for c = 1, client_count do
    local own = redis.call('HMGET', KEYS[clients_from + c], 'level', 'at_us')
    levels[c] = refilled(own[1], own[2], now_us, client_refill, client_capacity)
end

local records = {}
if order_count + status_count > 0 then
    records = redis.call('MGET', unpack(KEYS, records_from + 1, records_from + order_count + status_count))
end

-- 2. Decide, in memory.
local watched = redis.call('PUBSUB', 'NUMSUB', channel)[2] > 0
local results = {}
local counts = {diverted = diverted, sold_out = sold_out}
local charged = {}
local written = {}
local appended = {'kind', 'orders', 'at', now}
local accepted_ids = {}
local accepted_orders = {}

local function answer(name, status, detail)
    results[#results + 1] = status
    results[#results + 1] = detail
    counts[name] = (counts[name] or 0) + 1
end

-- Takes a token from the lane and from the client, or says how long to wait for both.
local function take_token(client)
    local wait = wait_us(level, refill)
    if client > 0 then
        wait = math.max(wait, wait_us(levels[client], client_refill))
    end
    if wait > 0 then
        return wait
    end
    level = level - TOKEN
    charged.lane = true
    if client > 0 then
        levels[client] = levels[client] - TOKEN
        charged[client] = true
    end
    return 0
end

local function bought_by(sale, buyer)
    local units = sale.bought[buyer]
    if not units then
        units = tonumber(redis.call('HGET', KEYS[sale.key + 2], buyer)) or 0
        sale.bought[buyer] = units
    end
    return units
end

local fresh = {}
for i = 1, order_count do
    local at = PER_ORDER * (i - 1)
    local sale = sales[requests[at + 1]]
    local quantity = requests[at + 3]
    local order_id = requests[at + 5]
    local payload = requests[at + 6]
    local record_key = KEYS[records_from + i]
    local record = fresh[record_key] or records[i]
    local wait
    if record then
        if record_payload(record) == payload then
            answer('replayed', 2, record_order_id(record))
        else
            answer('mismatched', 3, 0)
        end
    elseif not sale.known then
        answer('unknown', 7, 0)
    elseif not sale.ready then
        answer('not_ready', 8, 0)
    elseif backlog >= backlog_max then
        answer('backlogged', 9, backlog)
    else
        wait = take_token(requests[at + 2])
        if wait > 0 then
            answer('diverted', 4, wait)
        elseif sale.left == 0 then
            answer('sold_out', 6, 0)
        elseif sale.limit > 0 and bought_by(sale, requests[at + 4]) + quantity > sale.limit then
            answer('limited', 5, sale.limit)
        elseif sale.left < quantity then
            answer('sold_out', 6, sale.left)
        else
            answer('accepted', 1, 0)
            backlog = backlog + 1
            sale.left = sale.left - quantity
            sale.taken = sale.taken + quantity
            if sale.limit > 0 then
                local buyer = requests[at + 4]
                sale.bought[buyer] = sale.bought[buyer] + quantity
                sale.changed = sale.changed or {}
                sale.changed[buyer] = true
            end
            record = 'a' .. order_id .. now .. sale.epoch .. payload
            fresh[record_key] = record
            written[#written + 1] = record_key
            written[#written + 1] = record
            accepted_ids[#accepted_ids + 1] = order_id
            appended[#appended + 1] = order_id
            appended[#appended + 1] = sale.epoch .. payload
            if watched then
                accepted_orders[#accepted_orders + 1] = 'order\taccepted\t' .. order_id .. '\t' .. sale.product
            end
        end
    end
end

for i = 1, read_count do
    local at = reads_from + PER_READ * (i - 1)
    local sale = sales[requests[at + 1]]
    local wait = take_token(requests[at + 2])
    if wait > 0 then
        answer('diverted', 4, wait)
    elseif i <= status_count then
        local record = records[order_count + i]
        if record and record_state(record, KEYS[records_from + order_count + i]) == 'p' then
            record = 'p' .. string.sub(record, 2)
        end
        answer('read', record and 10 or 11, record or 0)
    elseif not sale then
        answer('read', 10, 0)
    elseif not sale.known then
        answer('read', 7, 0)
    elseif not sale.ready then
        answer('read', 8, 0)
    else
        answer('read', 10, string.format('%.0f:%s', sale.left, sale.total))
    end
end

-- 3. Write. The first one finds out whether the keys of the new records are free, because MGET takes a key of another
-- type for none; it writes all or nothing. From there on nothing can fail.
if #written > 0 and redis.call('MSETNX', unpack(written)) == 0 then
    return redis.error_reply('WRONGTYPE the key of an order record holds something else')
end
local events = {}
for p = 1, product_count do
    local sale = sales[p]
    if sale.taken > 0 then
        redis.call('DECRBY', KEYS[sale.key + 1], sale.taken)
        redis.call('HINCRBY', KEYS[sale.key], 'accepted', sale.taken)
        for buyer in pairs(sale.changed or {}) do
            redis.call('HSET', KEYS[sale.key + 2], buyer, sale.bought[buyer])
        end
        events[#events + 1] = string.format('inventory\t%.0f\t%s\t%s', sale.left, sale.total, sale.product)
    end
end
if #written > 0 then
    redis.call('XADD', outbox, '*', unpack(appended))
    redis.call('HINCRBY', figures, 'backlog', #accepted_ids)
    redis.call('PUBLISH', gates, 'a' .. table.concat(accepted_ids))
end
if charged.lane then
    redis.call('HSET', bucket, 'level', string.format('%.0f', level), 'at_us', now)
end
for c = 1, client_count do
    if charged[c] then
        local key = KEYS[clients_from + c]
        redis.call('HSET', key, 'level', string.format('%.0f', levels[c]), 'at_us', now)
        -- A bucket that has had time to fill is the same as none; never below a second, or a fast one would not count.
        redis.call('PEXPIRE', key, math.max(1000, math.ceil(client_capacity / client_refill / 1000)))
    end
end
for name, count in pairs(counts) do
    if count > 0 then
        redis.call('HINCRBY', figures, name, count)
    end
end
if watched and #events > 0 then
    redis.call('PUBLISH', channel, table.concat(events, '\n') .. '\n' .. table.concat(accepted_orders, '\n'))
end

for p = 1, product_count do
    results[#results + 1] = sales[p].ready and sales[p].left or -1
end
results[#results + 1] = wait_us(level, refill)
results[#results + 1] = math.floor(level / TOKEN)
return results
