#!lua
-- Note a sale that Postgres knows and Redis has lost, without its stock: until it is opened anew, orders get 503 rather
-- than 404.
--
-- KEYS
--   1  sale   hash    epoch, total, limit, product, accepted, returned
--   2  stock  string  units left
--   3  sales  hash    every product of the lane, and its epoch
--   4  lanes  string  how many lanes there are
-- ARGV
--   1  product  product id
--   2  epoch    sale epoch, 16 digits
--   3  total    units of the sale
--   4  count    the number of lanes that made this one the product's
-- Returns 1 when the sale is noted as lost, 0 when Redis knows it after all, or another number of lanes
-- Why atomic: an operator may open the sale anew at the same moment, and that must win.

local sale = KEYS[1]
local stock = KEYS[2]
local sales = KEYS[3]
local lanes = KEYS[4]
local product = ARGV[1]
local epoch = ARGV[2]
local total = ARGV[3]
local count = ARGV[4]

local agreed = redis.call('GET', lanes)
if agreed and agreed ~= count then
    return 0
end
if redis.call('EXISTS', sale, stock) > 0 then
    return 0
end
redis.call('HLEN', sales)
redis.call('SET', lanes, count)
redis.call('HSET', sale, 'epoch', epoch, 'total', total, 'limit', 0, 'product', product)
redis.call('HSET', sales, product, epoch)
return 1
