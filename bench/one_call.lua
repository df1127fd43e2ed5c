#!lua
-- One order per call: the straightforward gateway that the batching one is measured against.
--
-- KEYS
--   1  bucket  hash    token bucket: level (tokens), at_us
--   2  stock   string  units left
--   3  record  string  fingerprint and order id, found by the idempotency key
--   4  outbox  stream  orders on their way to a worker
-- ARGV
--   1  rate         tokens per second
--   2  burst        tokens that the bucket holds
--   3  fingerprint  of buyer and product
--   4  order_id
--   5  payload      of the stream entry
--   6  ttl_s        how long the record lives
-- Returns {"accepted"|"replayed"|"mismatch"|"throttled"|"sold_out"|"unknown", order id or ""}
-- Why atomic: stock, key, bucket and outbox must agree, as in the gateway that this is compared with.
local recorded = redis.call("GET", KEYS[3])
if recorded then
  if string.sub(recorded, 38) ~= ARGV[3] then
    return { "mismatch", "" }
  end
  return { "replayed", string.sub(recorded, 1, 36) }
end

local left = redis.call("GET", KEYS[2])
if not left then
  return { "unknown", "" }
end

local time = redis.call("TIME")
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local bucket = redis.call("HMGET", KEYS[1], "level", "at_us")
local burst = tonumber(ARGV[2])
local level = tonumber(bucket[1]) or burst
local since_us = now_us - (tonumber(bucket[2]) or now_us)
level = math.min(burst, level + since_us * tonumber(ARGV[1]) / 1000000)
local enough = level >= 1
if enough then
  level = level - 1
end
redis.call("HSET", KEYS[1], "level", level, "at_us", now_us)
if not enough then
  return { "throttled", "" }
end
if tonumber(left) < 1 then
  return { "sold_out", "" }
end

redis.call("DECR", KEYS[2])
redis.call("SET", KEYS[3], ARGV[4] .. " " .. ARGV[3], "EX", ARGV[6])
redis.call("XADD", KEYS[4], "*", "order", ARGV[5])
return { "accepted", ARGV[4] }
