-- Units: seconds since the epoch by Redis's own clock.
--
-- A sign of life for messages that a worker holds. What is not in the index any more is not put there again: it has been
-- acknowledged, or given to another worker.
--
-- KEYS[1] unacked index   ARGV delivery tags
-- Returns the tags that are not held any more.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local lost = {}
for _, tag in ipairs(ARGV) do
  if redis.call('ZSCORE', KEYS[1], tag) then
    redis.call('ZADD', KEYS[1], now, tag)
  else
    lost[#lost + 1] = tag
  end
end
return lost
