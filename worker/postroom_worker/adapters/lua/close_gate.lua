-- Units: microseconds, since the epoch by Redis's own clock.
--
-- Holds the whole fleet back: nobody claims until the time is over, and then one probe at a time.
--
-- KEYS[1] sending gate   ARGV[1] how long   ARGV[2] meaning   ARGV[3] reason
-- Returns 1 if the gate was open before.
local time = redis.call('TIME')
local closed_until = tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(ARGV[1])
local was_open = 1 - redis.call('EXISTS', KEYS[1])
redis.call('HSET', KEYS[1], 'closed_until_us', string.format('%.0f', closed_until), 'meaning', ARGV[2], 'reason', ARGV[3])
return was_open
