-- Units: times of ARGV and of the ledger in milliseconds since the epoch, lifetimes in seconds.
--
-- Puts jobs on the queue, all of them or, when an idempotency key belongs to another email, none. Repeating a call
-- changes nothing: a job whose record exists is left alone, so a producer may send a batch again whose answer was lost.
--
-- KEYS  1 parked, 2 parked messages, then for each job: its record, its idempotency record (the job's record again where
--       it has no key), its queue
-- ARGV  1 retention in seconds, then for each job: id, lane, message, time it is due ('' for now), digest of its content
--       ('' where it has no key)
-- Reply 'accepted' and for each job the id under which its email was first sent, or 'conflict', the number of the job
--       from 0, the id of the other email's job

local KEYS_BEFORE, KEYS_PER_JOB = 2, 3
local ARGS_BEFORE, ARGS_PER_JOB = 1, 5

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local retention_seconds = tonumber(ARGV[1])
local jobs = (#ARGV - ARGS_BEFORE) / ARGS_PER_JOB

-- First everything is read, so that a conflict leaves nothing behind: Redis does not roll back a script.
local first_ids, named_in_this_call = {}, {}
for job = 0, jobs - 1 do
  local id = ARGV[ARGS_BEFORE + job * ARGS_PER_JOB + 1]
  local digest = ARGV[ARGS_BEFORE + job * ARGS_PER_JOB + 5]
  first_ids[job] = id
  if digest ~= '' then
    local key = KEYS[KEYS_BEFORE + job * KEYS_PER_JOB + 2]
    local first = named_in_this_call[key] or redis.call('GET', key)
    if first then
      local first_id, first_digest = string.match(first, '^(%S+) (%S+)$')
      if first_digest ~= digest then
        return { 'conflict', job, first_id }
      end
      first_ids[job] = first_id
    else
      named_in_this_call[key] = id .. ' ' .. digest
    end
  end
end

local reply = { 'accepted' }
for job = 0, jobs - 1 do
  local key = KEYS_BEFORE + job * KEYS_PER_JOB
  local arg = ARGS_BEFORE + job * ARGS_PER_JOB
  local record, idempotency, queue = KEYS[key + 1], KEYS[key + 2], KEYS[key + 3]
  local id, lane, message, due, digest = ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4], ARGV[arg + 5]
  reply[#reply + 1] = first_ids[job]
  if first_ids[job] == id and redis.call('EXISTS', record) == 0 then
    local due_ms = tonumber(due)
    local wait_ms = due_ms and math.max(0, due_ms - now_ms) or 0
    if wait_ms > 0 then
      redis.call('HSET', record, 'state', 'parked', 'lane', lane, 'attempt', 0, 'enqueued_ms', now_ms, 'due_ms', due)
      redis.call('HSET', KEYS[2], id, queue .. ' ' .. message)
      redis.call('ZADD', KEYS[1], due, id)
    else
      redis.call('HSET', record, 'state', 'queued', 'lane', lane, 'attempt', 0, 'enqueued_ms', now_ms)
      redis.call('LPUSH', queue, message)
    end
    if digest ~= '' then
      -- Counted from the time it is due: the key of an email for next week is still known next week.
      local lifetime_seconds = retention_seconds + math.ceil(wait_ms / 1000)
      redis.call('SET', idempotency, id .. ' ' .. digest, 'EX', lifetime_seconds)
    end
  end
end
return reply
