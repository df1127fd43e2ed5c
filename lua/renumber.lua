#!lua
-- Give a lane that is at rest another number of lanes. It is at rest when nothing waits in it and every sale of it is
-- one of no units, which is how a sale is closed for good; these sales go.
--
-- KEYS
--   1  lanes   string  how many lanes there are
--   2  outbox  stream  commands on their way to the workers
--   3  dead    stream  commands that no worker could handle
--   4  sales   hash    every product of the lane, and its epoch
--   then 3 per product: sale (hash), stock (string), buyers (hash)
-- ARGV
--   1  count          how many lanes there are to be; 0: this one is none of them
--   2  looks          1: only say whether it could be done
--   3  product_count
-- Returns 1 when the lane has the number, 0 when it is not at rest
-- Why atomic: a sale that is opened by the old number between the look and the change would be sold in a lane where
-- nobody looks for it.

local lanes = KEYS[1]
local outbox = KEYS[2]
local dead = KEYS[3]
local sales = KEYS[4]
local count = ARGV[1]
local looks = ARGV[2]
local product_count = tonumber(ARGV[3])

local waiting = redis.call('XLEN', outbox) + redis.call('XLEN', dead)
local listed = redis.call('HLEN', sales)
local agreed = redis.call('GET', lanes) or '0'
if agreed == count and (count ~= '0' or listed == 0) then
    return 1
end
if waiting > 0 or listed ~= product_count then
    return 0
end
for p = 1, product_count do
    if redis.call('HGET', KEYS[3 * p + 2], 'total') ~= '0' then
        return 0
    end
end
if looks == '1' then
    return 1
end
for p = 1, product_count do
    redis.call('DEL', KEYS[3 * p + 2], KEYS[3 * p + 3], KEYS[3 * p + 4])
end
redis.call('DEL', sales)
if count == '0' then
    redis.call('DEL', lanes)
else
    redis.call('SET', lanes, count)
end
return 1
