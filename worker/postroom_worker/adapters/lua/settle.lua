-- Units: milliseconds since the epoch by Redis's own clock, unless a name says seconds.
--
-- What became of an attempt, for many jobs at once. Statuses only move forward, and only for the attempt they belong
-- to: a Send event that came before, or somebody who took the job over, is never undone. The same settlement twice, after
-- an answer that was lost, has the effect and the answer of one.
--
-- KEYS[1] parked   KEYS[2] parked messages   KEYS[3] dead letters   KEYS[4] dead letter messages
-- KEYS[5] dead letter reasons   KEYS[6] sending gate
-- KEYS[7] the rolling window (day.lua, which stands before this)
-- then for each job: its ledger record
-- ARGV[1] number of jobs   ARGV[2] retention in seconds   ARGV[3] prefix of the reputation buckets
-- then for each job: job id, lane, kind, attempt, lease, and four arguments of its kind:
--   sent       SES message ID, recipients as AWS counts them for the reputation, '', ''
--   refused    reason, '', '', ''
--   parked     reason, delay in ms, '1' if it counts as a failure, '<queue> <message>'
--   uncertain  reason, delay in ms, '', '<queue> <message>'
--   dead       reason, '', '', '<queue> <message>'
--   released   '', '', '', ''   (begun, and certainly not sent: back to queued, the message returns to its queue)
--
-- Returns for each job {applied (0 or 1), the state it is in afterwards, safe}: `safe` is 1 where the job needs the caller's
-- message no more, because it has ended, is parked, or is in somebody else's hands.
local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000 + math.floor(tonumber(time[2]) / 1000)
local jobs, retention_seconds, reputation = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local minute = reputation .. 'minute:' .. math.floor(now_seconds / 60)
local hour = reputation .. 'hour:' .. math.floor(now_seconds / 3600)
local sent_recipients, any_sent = 0, false
local replies = {}
-- What a settlement leads to, for one that is repeated: applied, unless news has come since.
local STATE_OF = {sent = 'sent', refused = 'refused', parked = 'parked', uncertain = 'uncertain', dead = 'dead_lettered', released = 'queued'}

local function unpark(job_id)
  redis.call('ZREM', KEYS[1], job_id)
  redis.call('HDEL', KEYS[2], job_id)
end

local function park(job_id, delay, message)
  redis.call('ZADD', KEYS[1], now + tonumber(delay), job_id)
  redis.call('HSET', KEYS[2], job_id, message)
end

-- SES certainly has not taken it: what the begin step counted in the rolling window is free again.
local function uncount(record)
  local counted = redis.call('HMGET', record, 'counted', 'counted_bucket')
  if counted[1] then
    day_count(KEYS[7], tonumber(counted[2]), -tonumber(counted[1]))
    redis.call('HDEL', record, 'counted', 'counted_bucket')
  end
end

local function end_job(record, job_id, outcome, reason)
  unpark(job_id)
  redis.call('HSET', record, 'state', outcome, 'settled_ms', now, 'reason', reason)
  redis.call('EXPIRE', record, retention_seconds)
end

for job = 1, jobs do
  local record = KEYS[7 + job]
  local arg = 4 + (job - 1) * 9
  local job_id, lane, kind, attempt, lease = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], tonumber(ARGV[arg + 3]), ARGV[arg + 4]
  local first, second, third, message = ARGV[arg + 5], ARGV[arg + 6], ARGV[arg + 7], ARGV[arg + 8]
  local known = redis.call('HMGET', record, 'state', 'attempt', 'lease', 'settled_by')
  local state, known_attempt = known[1] or '', tonumber(known[2] or '0')
  local settler = kind .. '/' .. lease .. '/' .. attempt
  local open = state == '' or state == 'queued' or state == 'parked' or state == 'begun' or state == 'uncertain'
  local ours = state == 'begun' and known_attempt == attempt and known[3] == lease
  -- Nobody has begun it since: it waits, or Redis lost its last second and with it what we began.
  local free = state == '' or state == 'queued'
  local repeated = known[4] == settler
  local applied = repeated and state == STATE_OF[kind]
  if not repeated then
    if kind == 'sent' then
      -- SES's yes is a fact, whoever holds the job by now, as long as no later attempt has begun.
      if open and known_attempt <= attempt then
        unpark(job_id)
        redis.call('HSET', record, 'state', 'sent', 'lane', lane, 'attempt', attempt, 'ses_message_id', first, 'settled_ms', now)
        redis.call('HDEL', record, 'due_ms', 'reason')
        redis.call('EXPIRE', record, retention_seconds)
        sent_recipients = sent_recipients + tonumber(second)
        applied, state, any_sent = true, 'sent', true
      end
    elseif kind == 'uncertain' then
      -- Also for a job that another worker began and has not settled: whoever finds it says so.
      if ((state == 'begun' or state == 'uncertain') and known_attempt == attempt) or (free and known_attempt < attempt) then
        redis.call('HSET', record, 'state', 'uncertain', 'lane', lane, 'attempt', attempt, 'reason', first,
          'due_ms', now + tonumber(second))
        redis.call('HSETNX', record, 'begun_ms', now)
        park(job_id, second, message)
        applied, state = true, 'uncertain'
      end
    elseif kind == 'parked' then
      if ours or free then
        uncount(record)
        redis.call('HSET', record, 'state', 'parked', 'lane', lane, 'reason', first, 'due_ms', now + tonumber(second))
        if third == '1' then
          redis.call('HINCRBY', record, 'failures', 1)
        end
        park(job_id, second, message)
        applied, state = true, 'parked'
      elseif state == 'uncertain' and known_attempt == attempt then
        -- Its lane is paused. What is uncertain about it stays so.
        redis.call('HSET', record, 'due_ms', now + tonumber(second))
        park(job_id, second, message)
        applied = true
      end
    elseif kind == 'released' then
      if ours then
        uncount(record)
        redis.call('HSET', record, 'state', 'queued')
        applied, state = true, 'queued'
      end
    elseif kind == 'refused' then
      if ours or free then
        uncount(record)
        redis.call('HSET', record, 'lane', lane)
        end_job(record, job_id, 'refused', first)
        applied, state = true, 'refused'
      end
    elseif kind == 'dead' then
      if ours or free or (state == 'uncertain' and known_attempt == attempt) then
        redis.call('HSET', record, 'lane', lane)
        end_job(record, job_id, 'dead_lettered', first)
        local kept = redis.call('HGET', KEYS[4], job_id)
        if kept and kept ~= message then
          -- An odd message that called itself like this job: both are kept.
          local other = job_id .. ':' .. redis.sha1hex(kept)
          redis.call('HSET', KEYS[4], other, kept)
          redis.call('HSET', KEYS[5], other, redis.call('HGET', KEYS[5], job_id) or '')
          redis.call('ZADD', KEYS[3], redis.call('ZSCORE', KEYS[3], job_id) or now, other)
        end
        redis.call('ZADD', KEYS[3], now, job_id)
        redis.call('HSET', KEYS[4], job_id, message)
        redis.call('HSET', KEYS[5], job_id, first)
        applied, state = true, 'dead_lettered'
      end
    else
      return redis.error_reply('unknown kind of settlement: ' .. kind)
    end
    if applied then
      redis.call('HSET', record, 'settled_by', settler)
    end
  end
  local waits = state == 'queued' or state == ''
  local parked = redis.call('ZSCORE', KEYS[1], job_id)
  local safe = not waits and (parked or (state ~= 'parked' and state ~= 'uncertain'))
  if state == 'begun' and known[3] == lease then
    safe = false -- begun by us, and this settlement did not fit: nobody else has it
  end
  replies[job] = {applied and 1 or 0, state, safe and 1 or 0}
end

if any_sent then
  redis.call('DEL', KEYS[6]) -- SES accepts again
end
if sent_recipients > 0 then
  redis.call('HINCRBY', minute, 'sent', sent_recipients)
  redis.call('EXPIRE', minute, 7200)
  redis.call('HINCRBY', hour, 'sent', sent_recipients)
  redis.call('EXPIRE', hour, 691200)
end
return replies
