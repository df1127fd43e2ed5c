#!lua
-- Idempotency records in numbers, as settled orders leave them, for the cost of an order among them.
--
-- KEYS
--   1  prefix  what all keys of order records begin with
-- ARGV
--   1  record
--   2  ttl_s   how long they live
--   3  first   number of the first record
--   4  last    and of the last
-- Why in a script: a million commands from a client would take longer than what is measured with them.
for number = tonumber(ARGV[3]), tonumber(ARGV[4]) do
  redis.call("SET", KEYS[1] .. string.format("8%015x", number), ARGV[1], "EX", ARGV[2])
end
