#!lua
-- The books of a lane at one instant: every sale, and the place in the outbox that the instant has.
--
-- KEYS
--   1  outbox   stream  commands on their way to the workers
--   2  sales    hash    every product of the lane, and its epoch
--   then 2 per product: sale (hash), stock (string)
-- ARGV
--   1  product_count
-- Returns the id of the last entry ever appended, and then 5 values per product:
--   epoch, total, accepted, returned, units left; "" for each that is missing or damaged
-- Why atomic: a comparison with Postgres is exact only if all of it is as of the same entry.

-- @include whole

local outbox = KEYS[1]
local sales = KEYS[2]
local product_count = tonumber(ARGV[1])

redis.call('HLEN', sales)
local last = '0-0'
if redis.call('EXISTS', outbox) == 1 then
    local info = redis.call('XINFO', 'STREAM', outbox)
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            last = info[i + 1]
        end
    end
end
local books = {last}
for p = 1, product_count do
    local sale = redis.call('HMGET', KEYS[2 * p + 1], 'epoch', 'total', 'accepted', 'returned')
    for i = 1, 4 do
        books[#books + 1] = whole(sale[i]) and sale[i] or ''
    end
    local left = redis.call('GET', KEYS[2 * p + 2])
    books[#books + 1] = whole(left) and left or ''
end
return books
