-- Units: milliseconds since the epoch by Redis's own clock, unless a name says seconds.
--
-- The last look before the wire, for many jobs at once: is the job still ours to send, and to whom? From a "go" on, a
-- crash leaves the job uncertain; before, it leaves it queued.
--
-- KEYS[1] paused lanes   KEYS[2] feedback progress   KEYS[3] parked   KEYS[4] quota hash
-- KEYS[5] the rolling window (day.lua, which stands before this)   KEYS[6] verified identities, of the sandbox
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
--   day_closed  the rolling window has no room for it; its message belongs back in its queue
--   unverified  refused here and now: the sandbox sends to verified identities alone; detail: how many are not
--   unsettled   somebody else began it and nothing is known since: its fate is uncertain
--   unresolved  uncertain, and feedback has not come far enough; detail: milliseconds since its begin
--   hold        uncertain, feedback has moved past it without a trace, and its policy forbids a second send
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local now_seconds = tonumber(time[1])
local jobs, retention_seconds, resolvable_after = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local outcomes = {sent = true, suppressed = true, refused = true, expired = true, cancelled = true, dead_lettered = true}
local key, arg = 7, 4
local empty_at = nil
local replies = {}
local quota = redis.call('HMGET', KEYS[4], 'day_limit', 'day_others', 'day_reserve_critical', 'day_reserve_transactional',
  'day_bucket_us', 'sandbox')
local bucket = math.floor((tonumber(time[1]) * 1000000 + tonumber(time[2])) / tonumber(quota[5] or '60000000'))
local left = day_left(quota[1], quota[2], quota[3], quota[4], day_total(KEYS[5], bucket))
-- Without the list (no permission to read it, or not read yet) SES itself refuses.
local sandbox = quota[6] == '1' and redis.call('EXISTS', KEYS[6]) == 1
local SIMULATOR = '@simulator.amazonses.com'

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

local function is_simulator(address)
  return string.sub(address, -#SIMULATOR) == SIMULATOR
end

-- A verified domain covers its subdomains.
local function is_verified(address)
  if is_simulator(address) or redis.call('SISMEMBER', KEYS[6], address) == 1 then
    return true
  end
  local domain = string.match(address, '@([^@]*)$')
  while domain do
    if redis.call('SISMEMBER', KEYS[6], domain) == 1 then
      return true
    end
    domain = string.match(domain, '^[^.]*%.(.+)$')
  end
  return false
end

-- Takes back what an earlier begin of the same attempt counted in the window.
local function uncount(record)
  local counted = redis.call('HMGET', record, 'counted', 'counted_bucket')
  if counted[1] then
    day_count(KEYS[5], tonumber(counted[2]), -tonumber(counted[1]))
    if left then
      for lane in pairs(left) do
        left[lane] = left[lane] + tonumber(counted[1])
      end
    end
    redis.call('HDEL', record, 'counted', 'counted_bucket')
  end
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
  if (state == 'cancelled' or state == 'expired' or state == 'suppressed' or state == 'refused') and known[6] == lease then
    return {state == 'refused' and 'unverified' or state, attempt, failures, '0'}, attempt, failures
  end
  if outcomes[state] then
    return {'settled', attempt, failures, state}, attempt, failures
  end
  if (state == 'parked' or state == 'uncertain') and redis.call('ZSCORE', KEYS[3], job_id) then
    return {'elsewhere', attempt, failures, state}, attempt, failures
  end
  if state == 'begun' then
    if known[4] == lease then
      uncount(record)
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
      local left_out, counted, unverified = {}, 0, 0
      for place = 1, recipients do
        local address = ARGV[arg + 5 + place]
        if is_suppressed(KEYS[key + place], address) then
          left_out[#left_out + 1] = place - 1
        else
          if not is_simulator(address) then
            counted = counted + 1 -- SES counts its mailbox simulator in the rate, not in the day
          end
          if sandbox and not is_verified(address) then
            unverified = unverified + 1
          end
        end
      end
      if #left_out == recipients then
        redis.call('HSET', record, 'suppressed', #left_out, 'lane', lane)
        end_job(record, 'suppressed', 'every recipient is on the suppression list', lease)
        verdict = {'suppressed', attempt, failures, ''}
      elseif unverified > 0 then
        redis.call('HSET', record, 'lane', lane)
        end_job(record, 'refused', unverified .. ' of ' .. recipients .. ' recipients are not verified identities, and '
          .. 'the account is in the sandbox: verify them in SES, or ask AWS for production access', lease)
        verdict = {'unverified', attempt, failures, tostring(unverified)}
      elseif left and counted > 0 and left[lane] < counted then
        if redis.call('HGET', record, 'state') == 'begun' then
          redis.call('HSET', record, 'state', 'queued') -- begun by the caller, who asks again because it has not sent
        end
        verdict = {'day_closed', attempt, failures, ''}
      else
        day_count(KEYS[5], bucket, counted)
        if left then
          for name in pairs(left) do
            left[name] = left[name] - counted
          end
        end
        redis.call('HSET', record, 'state', 'begun', 'lane', lane, 'attempt', attempt + 1, 'lease', lease,
          'begun_ms', now, 'suppressed', #left_out, 'counted', counted, 'counted_bucket', bucket)
        verdict = {'go', attempt + 1, failures, table.concat(left_out, ',')}
      end
    end
  end
  replies[#replies + 1] = verdict
  key = key + 1 + recipients
  arg = arg + 6 + recipients
end
return replies
