-- Units: milliseconds since the epoch by Redis's own clock, unless a name says seconds.
--
-- The last look before the wire, for many jobs at once: is the job still ours to send, and to whom? From a "go" on, a
-- crash leaves the job uncertain; before, it leaves it queued.
--
-- KEYS[1] paused lanes   KEYS[2] feedback progress   KEYS[3] parked
-- then for each job: its ledger record, and the suppression bucket of each recipient, in order
-- ARGV[1] number of jobs   ARGV[2] retention in seconds   ARGV[3] how long after a begin an answer is still possible,
-- plus the grace that feedback needs (ms)
-- then for each job: job id, lane, lease, expires_at (ms or ''), on_uncertain (resend|hold), number of recipients,
-- and each recipient's canonical address, in order
--
-- Returns for each job {verdict, attempt, failures, detail}:
--   go          detail: comma-separated places (from 0) of recipients to leave out, '' for none
--   settled     detail: the outcome it already has; nothing to do
--   elsewhere   the job waits in Redis and will come back by itself; this copy of the message is surplus
--   cancelled | expired | suppressed   ended here and now, or (cancelled) told for the first time
--   paused      its lane is paused
--   unsettled   somebody else began it and nothing is known since: its fate is uncertain
--   unresolved  uncertain, and feedback has not come far enough; detail: milliseconds since its begin
--   hold        uncertain, feedback has moved past it without a trace, and its policy forbids a second send
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local now_seconds = tonumber(time[1])
local jobs, retention_seconds, resolvable_after = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local outcomes = {sent = true, suppressed = true, refused = true, expired = true, cancelled = true, dead_lettered = true}
local key, arg = 4, 4
local empty_at = nil
local replies = {}

local function feedback_empty_at()
  if empty_at == nil then
    empty_at = tonumber(redis.call('HGET', KEYS[2], 'empty_at_ms') or '0')
  end
  return empty_at
end

-- `settled_by` lets a caller whose answer was lost ask again and be told the same.
local function end_job(record, outcome, reason, lease)
  redis.call('HSET', record, 'state', outcome, 'settled_ms', now, 'reason', reason, 'settled_by', lease)
  redis.call('EXPIRE', record, retention_seconds)
end

local function is_suppressed(bucket, address)
  local entry = redis.call('HGET', bucket, address)
  if not entry then
    return false
  end
  local expires = string.match(entry, '^[^;]*;[^;]*;([^;]*);')
  return not (expires and expires ~= '' and tonumber(expires) <= now_seconds)
end

-- What the record says of a job before anything else is asked; nil where it may be sent.
local function standing(record, job_id, lease, on_uncertain)
  local known = redis.call('HMGET', record, 'state', 'attempt', 'failures', 'lease', 'begun_ms', 'settled_by')
  local state, attempt, failures = known[1], tonumber(known[2] or '0'), tonumber(known[3] or '0')
  if not state then
    return nil, attempt, failures
  end
  if state == 'cancelled' and not known[6] then
    redis.call('HSET', record, 'settled_by', lease)
    return {'cancelled', attempt, failures, ''}, attempt, failures
  end
  if (state == 'cancelled' or state == 'expired' or state == 'suppressed') and known[6] == lease then
    return {state, attempt, failures, ''}, attempt, failures
  end
  if outcomes[state] then
    return {'settled', attempt, failures, state}, attempt, failures
  end
  if (state == 'parked' or state == 'uncertain') and redis.call('ZSCORE', KEYS[3], job_id) then
    return {'elsewhere', attempt, failures, state}, attempt, failures
  end
  if state == 'begun' then
    if known[4] == lease then
      return nil, attempt - 1, failures -- we began it ourselves and asked again before the wire: the same attempt
    end
    return {'unsettled', attempt, failures, ''}, attempt, failures
  end
  if state == 'uncertain' then
    local begun = tonumber(known[5] or '0')
    if feedback_empty_at() < begun + resolvable_after then
      return {'unresolved', attempt, failures, tostring(now - begun)}, attempt, failures
    end
    if on_uncertain == 'hold' then
      return {'hold', attempt, failures, ''}, attempt, failures
    end
  end
  return nil, attempt, failures
end

for _ = 1, jobs do
  local record = KEYS[key]
  local job_id, lane, lease, expires_at = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], tonumber(ARGV[arg + 3])
  local on_uncertain, recipients = ARGV[arg + 4], tonumber(ARGV[arg + 5])
  local verdict, attempt, failures = standing(record, job_id, lease, on_uncertain)
  if not verdict then
    if expires_at and expires_at <= now then
      end_job(record, 'expired', 'expired before it could be sent', lease)
      verdict = {'expired', attempt, failures, ''}
    elseif redis.call('SISMEMBER', KEYS[1], lane) == 1 then
      if redis.call('HGET', record, 'state') == 'begun' then
        redis.call('HSET', record, 'state', 'queued') -- begun by the caller, who asks again because it has not sent
      end
      verdict = {'paused', attempt, failures, ''}
    else
      local left_out = {}
      for place = 1, recipients do
        if is_suppressed(KEYS[key + place], ARGV[arg + 5 + place]) then
          left_out[#left_out + 1] = place - 1
        end
      end
      if #left_out == recipients then
        redis.call('HSET', record, 'suppressed', #left_out, 'lane', lane)
        end_job(record, 'suppressed', 'every recipient is on the suppression list', lease)
        verdict = {'suppressed', attempt, failures, ''}
      else
        redis.call('HSET', record, 'state', 'begun', 'lane', lane, 'attempt', attempt + 1, 'lease', lease,
          'begun_ms', now, 'suppressed', #left_out)
        verdict = {'go', attempt + 1, failures, table.concat(left_out, ',')}
      end
    end
  end
  replies[#replies + 1] = verdict
  key = key + 1 + recipients
  arg = arg + 6 + recipients
end
return replies
