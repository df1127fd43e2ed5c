#!lua
-- Open a sale of a product, or close the running one and open it anew with another stock: a new sale epoch.
--
-- Orders of the old epoch that are still on their way keep their own epoch: they are neither lost nor counted against
-- the new stock. The books of the old epoch are closed by the same message that opens the new one.
--
-- KEYS
--   1  sale     hash    epoch, total, limit, product, accepted, returned
--   2  stock    string  units left
--   3  buyers   hash    units by buyer
--   4  outbox   stream  commands on their way to the workers
--   5  figures  hash    running totals of the lane, and its backlog
--   6  sales    hash    every product of the lane, and its epoch
--   7  lanes    string  how many lanes there are
-- ARGV
--   1  channel   events are published here
--   2  gates     channel on which the gateway processes hear what can be had again
--   3  product   product id
--   4  total     units to sell
--   5  limit     units that one buyer may have; 0: any number
--   6  count     the number of lanes that made this one the product's
-- Returns the epoch of the new sale; 0, and nothing is opened, where there is another number of lanes
-- Why atomic: no order may meet the new stock with the old epoch, or the other way round.

-- @include order_record
-- @include whole

local sale = KEYS[1]
local stock = KEYS[2]
local buyers = KEYS[3]
local outbox = KEYS[4]
local figures = KEYS[5]
local sales = KEYS[6]
local lanes = KEYS[7]
local channel = ARGV[1]
local gates = ARGV[2]
local product = ARGV[3]
local total = ARGV[4]
local limit = ARGV[5]
local count = ARGV[6]

local agreed = redis.call('GET', lanes)
if agreed and agreed ~= count then
    return '0'
end
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
redis.call('XLEN', outbox)
redis.call('HGET', figures, 'backlog')
local listed = redis.call('HGET', sales, product)
local old = redis.call('HMGET', sale, 'epoch', 'returned')
local known = is_epoch(old[1])
-- A sale that is lost while the list still has it is closed all the same, or its books would stay open for ever.
local old_epoch = known and old[1] or is_epoch(listed) and listed or '0'
local old_returned = whole(old[2]) and old[2] or '0'
-- -1: sale or stock is lost, or the stock below nothing, so what was left of the old sale cannot be known.
local old_left = redis.call('GET', stock)
old_left = known and (whole(old_left) or -1) >= 0 and old_left or '-1'
-- Unique for ever, also after Redis has lost its data, and ascending although clocks step back.
local epoch = digits(math.max(now_us, tonumber(old_epoch) + 1))

redis.call('SET', lanes, count)
redis.call('DEL', buyers)
redis.call('HSET', sale, 'epoch', epoch, 'total', total, 'limit', limit, 'product', product,
    'accepted', 0, 'returned', 0)
redis.call('SET', stock, total)
redis.call('HSET', sales, product, epoch)
redis.call('XADD', outbox, '*', 'kind', 'opened', 'at', digits(now_us), 'sale', table.concat({
    epoch, total, limit, old_epoch, old_left, old_returned, product,
}, ':'))
redis.call('HINCRBY', figures, 'backlog', 1)
redis.call('PUBLISH', gates, 's' .. product)
redis.call('PUBLISH', channel, 'inventory\t' .. total .. '\t' .. total .. '\t' .. product)
return epoch
