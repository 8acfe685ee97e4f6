-- Units: times in microseconds since the epoch by Redis's own clock, rates in recipients per second.
--
-- Reserves send slots of the whole fleet: GCRA without burst. One slot is the permission to send to one recipient.
--
-- KEYS[1] send slots: time of the next free slot        KEYS[2] quota hash (field working_rate)
-- ARGV[1] slots wanted    ARGV[2] slots without which the caller can send nothing    ARGV[3] horizon
--
-- A call reserves nothing beyond the horizon, so that a halved rate acts at once; only an email with more recipients
-- than that gets what it needs in one piece, as SES's own bucket lets it through and makes the next ones pay.
--
-- Returns {granted, wait until the first slot, interval between slots} or {0, wait until asking makes sense, 0};
-- {-1, 0, 0} while no rate is known: nobody may send. Intervals come as text, since Lua's numbers lose their fraction.
local rate = tonumber(redis.call('HGET', KEYS[2], 'working_rate') or '')
if not rate or rate <= 0 then
  return {-1, 0, '0'}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = 1000000 / rate
local horizon = tonumber(ARGV[3])
local first = tonumber(redis.call('GET', KEYS[1]) or '0')
if first < now then
  first = now
end
if first > now + horizon then
  return {0, math.ceil(first - now - horizon), '0'}
end
local wanted, needed = tonumber(ARGV[1]), tonumber(ARGV[2])
local within = math.floor((now + horizon - first) / interval) + 1
local granted = math.min(wanted, math.max(needed, within))
local next_free = first + granted * interval
-- The key outlives its last slot by a minute; after that an absent key and one in the past mean the same.
redis.call('SET', KEYS[1], string.format('%.3f', next_free), 'PX', math.ceil((next_free - now) / 1000) + 60000)
return {granted, math.ceil(first - now), string.format('%.6f', interval)}
