-- Units: milliseconds since the epoch by Redis's own clock.
--
-- Moves a message that a worker holds to the dead letters.
--
-- KEYS[1] unacked   KEYS[2] unacked index   KEYS[3] dead letters   KEYS[4] dead letter messages
-- KEYS[5] dead letter reasons
-- ARGV[1] delivery tag   ARGV[2] name   ARGV[3] '<queue> <message>'   ARGV[4] reason
local time = redis.call('TIME')
local name = ARGV[2]
local kept = redis.call('HGET', KEYS[4], name)
if kept and kept ~= ARGV[3] then
  name = name .. ':' .. redis.sha1hex(ARGV[3]) -- another that calls itself the same: both are kept
end
redis.call('ZADD', KEYS[3], tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), name)
redis.call('HSET', KEYS[4], name, ARGV[3])
redis.call('HSET', KEYS[5], name, ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return name
