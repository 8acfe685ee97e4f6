-- Units: milliseconds since the epoch by Redis's own clock.
--
-- Moves parked jobs that are due back to their queues, exactly once however many workers ask.
--
-- KEYS[1] parked   KEYS[2] parked messages   ARGV[1] at most this many   ARGV[2] prefix of the ledger records
--
-- They go to the end that workers take from: they have waited already. An uncertain job stays uncertain: the begin step
-- asks feedback. Returns {moved, milliseconds until the next one is due, or -1}.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, job_id in ipairs(due) do
  local parked = redis.call('HGET', KEYS[2], job_id)
  redis.call('ZREM', KEYS[1], job_id)
  redis.call('HDEL', KEYS[2], job_id)
  if parked then
    local queue, message = string.match(parked, '^(%S+) (.*)$')
    redis.call('RPUSH', queue, message)
    local record = ARGV[2] .. job_id
    if redis.call('HGET', record, 'state') == 'parked' then
      redis.call('HSET', record, 'state', 'queued')
    end
    if redis.call('EXISTS', record) == 1 then
      redis.call('HDEL', record, 'due_ms')
    end
  end
end
local following = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = -1
if following[2] then
  wait = math.max(0, tonumber(following[2]) - now)
end
return {#due, wait}
