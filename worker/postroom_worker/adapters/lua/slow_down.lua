-- Units: microseconds since the epoch by Redis's own clock; shares of the full rate.
--
-- Lowers the working rate of the fleet after a throttle answer. It climbs back by itself (claim.lua).
--
-- KEYS[1] quota hash   ARGV[1] to which share of what it is   ARGV[2] lowest share   ARGV[3] recovery per second
-- Returns the share as text, or nothing if it was lowered within the last second: answers of one moment count once.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local known = redis.call('HMGET', KEYS[1], 'slow_factor', 'slowed_at_us')
local factor = 1
if known[1] then
  local passed = now - tonumber(known[2])
  if passed < 1000000 then
    return nil
  end
  factor = math.min(1, tonumber(known[1]) + passed / 1000000 * tonumber(ARGV[3]))
end
factor = math.max(tonumber(ARGV[2]), factor * tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'slow_factor', string.format('%.4f', factor), 'slowed_at_us', string.format('%.0f', now))
return string.format('%.4f', factor)
