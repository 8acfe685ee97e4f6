-- Units: times of the ledger in milliseconds since the epoch, lifetimes in seconds.
--
-- Takes a job back whose send has not begun. Its message stays in its queue, or goes there now: the step before the wire
-- asks the ledger, and a worker that finds it cancelled counts it and lets the message go.
--
-- KEYS  1 the job's record, 2 parked, 3 parked messages
-- ARGV  1 id, 2 retention in seconds
-- Reply the state the job is in now, or '' for a job nobody knows

local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return ''
end
if state ~= 'queued' and state ~= 'parked' then
  return state
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'settled_ms', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HDEL', KEYS[1], 'due_ms', 'settled_by')
local parked = redis.call('HGET', KEYS[3], ARGV[1])
if parked then
  local queue, message = string.match(parked, '^(%S+) (.*)$')
  redis.call('RPUSH', queue, message)
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 'cancelled'
