-- Units: milliseconds since the epoch by Redis's own clock, unless a name says seconds.
--
-- Applies a batch of feedback events, each once, whatever order they come in and however often: what an address, a job
-- and the reputation end as depends on which events came, not on when.
--
-- KEYS[1] number of suppressed addresses   KEYS[2] parked   KEYS[3] parked messages   KEYS[4] feedback progress
-- KEYS[5] and KEYS[6] the reputation buckets of minute 0 and hour 0
-- then whatever the events name, by its place in KEYS
-- ARGV[1] retention_seconds   ARGV[2] event memory in seconds   ARGV[3] transient suppression in seconds
-- ARGV[4] soft bounces in a row that suppress   ARGV[5] memory of soft bounces in seconds
-- ARGV[6] expiries in a row after which an address is dead   ARGV[7] the time they must span (ms)
-- ARGV[8] Redis's time at the start of a long poll that came back empty (ms), or ''
-- ARGV[9...] one JSON object per event:
--   job_key, job_id      the job's record, where the event names a job
--   message_id           SES message ID, where known
--   recipients           how many count as sent if this event settles the job
--   delivery, rank       news of the delivery, rank as in the ledger; rank 0: none
--   event_key            key that remembers the event, where applying it twice would do harm
--   at                   when it happened, where known
--   bounced, complained  what it adds to the ratios
--   source               what suppression entries say they go back to
--   suppress             {{bucket key, address, reason letter}, ...}
--   soft                 {{soft bounces key, bucket key, address, expired: 0 or 1}, ...}
--   delivered            {{soft bounces key, address}, ...}
--
-- Returns {now, {one reply per event}}, a reply being {first (0: known before), settled (1: the job is sent by this
-- event), lane of a settled job or '', duplicate sends it revealed, addresses newly suppressed}.
local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000 + math.floor(tonumber(time[2]) / 1000)
local retention_seconds, event_memory_seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local transient_seconds, soft_limit, soft_memory_seconds = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local expiries_limit, expiries_span = tonumber(ARGV[6]), tonumber(ARGV[7])
local outcomes = {sent = true, suppressed = true, refused = true, expired = true, cancelled = true, dead_lettered = true}
-- Further sends of one job that are told apart; a job is never sent this often.
local further_limit = 10
local counted = {sent = 0, bounced = 0, complained = 0}

local function whole(number)
  return string.format('%.0f', number)
end

-- Facts about the job -----------------------------------------------------------------------------------------------

-- Every event but a job's own refusal says that SES accepted it. The lowest message ID stands in the record (SES's
-- begin with the time), the others beside it, so that the order of arrival does not matter.
local function note_message_id(record, message_id, known, further)
  if not message_id or message_id == known then
    return 0
  end
  if not known then
    redis.call('HSET', record, 'ses_message_id', message_id)
    return 0
  end
  local others = {}
  for other in string.gmatch(further or '', '%S+') do
    if other == message_id then
      return 0
    end
    others[#others + 1] = other
  end
  if #others >= further_limit then
    return 0
  end
  if message_id < known then
    redis.call('HSET', record, 'ses_message_id', message_id)
    others[#others + 1] = known
  else
    others[#others + 1] = message_id
  end
  table.sort(others)
  redis.call('HSET', record, 'further_message_ids', table.concat(others, ' '))
  redis.call('HINCRBY', record, 'duplicates', 1)
  return 1
end

local function note_delivery(record, event, known_rank, known_delivery)
  local rank = tonumber(known_rank or '0')
  -- Of two with one rank the later name stands, again so that the order does not matter.
  if event.rank > rank or (event.rank == rank and event.delivery > (known_delivery or '')) then
    redis.call('HSET', record, 'delivery', event.delivery, 'delivery_rank', event.rank)
  end
end

-- Returns settled, lane, duplicates. A record that is gone is not made anew, and an outcome is never taken back: a job
-- that was given up and turns out to be sent keeps its outcome, and learns its message ID and its delivery.
local function apply_to_job(event)
  local record = KEYS[event.job_key]
  local known = redis.call('HMGET', record, 'state', 'ses_message_id', 'further_message_ids', 'lane', 'delivery_rank',
    'delivery')
  local state = known[1]
  if not state then
    return 0, '', 0
  end
  local settled = 0
  if not outcomes[state] then
    -- Also where it waits to be sent again: its Send event was late, and a second send would be a duplicate.
    redis.call('HSET', record, 'state', 'sent', 'settled_ms', now)
    redis.call('HDEL', record, 'due_ms', 'reason')
    redis.call('ZREM', KEYS[2], event.job_id)
    redis.call('HDEL', KEYS[3], event.job_id)
    redis.call('EXPIRE', record, retention_seconds)
    counted.sent = counted.sent + event.recipients
    settled = 1
  end
  local duplicates = note_message_id(record, event.message_id, known[2], known[3])
  if event.rank > 0 then
    note_delivery(record, event, known[5], known[6])
  end
  return settled, settled == 1 and known[4] or '', duplicates
end

-- The suppression list ----------------------------------------------------------------------------------------------

local function packed(entry)
  local expires = entry.expires and whole(entry.expires) or ''
  return entry.reason .. ';' .. whole(entry.added) .. ';' .. expires .. ';' .. entry.source
end

local function unpacked(text)
  local reason, added, expires, source = string.match(text, '^([^;]*);(%d+);(%d*);(.*)$')
  if not reason then
    return nil
  end
  return {reason = reason, added = tonumber(added), expires = tonumber(expires), source = source}
end

-- Whether what feedback says replaces a permanent entry: only one that feedback made too, by an event that came first.
local function comes_first(entry, old)
  if old.reason ~= 'b' and old.reason ~= 'c' then
    return false
  end
  if entry.added ~= old.added then
    return entry.added < old.added
  end
  return entry.reason .. entry.source < old.reason .. old.source
end

-- Times of an entry are in seconds. Returns 1 if the address is suppressed only since this call.
local function suppress(bucket, address, entry)
  if entry.expires and entry.expires <= now_seconds then
    return 0
  end
  local stored = redis.call('HGET', bucket, address)
  if not stored then
    redis.call('HSET', bucket, address, packed(entry))
    redis.call('INCR', KEYS[1])
    return 1
  end
  local old = unpacked(stored)
  if not old then
    return 0 -- not ours to mend: whoever wrote it meant the address to be suppressed
  end
  local replaces
  if old.expires then
    replaces = not entry.expires or entry.expires > old.expires
  else
    replaces = not entry.expires and comes_first(entry, old)
  end
  if replaces then
    redis.call('HSET', bucket, address, packed(entry))
  end
  return old.expires and old.expires <= now_seconds and 1 or 0
end

-- Transient bounces since the last delivery -------------------------------------------------------------------------

-- Kept as '<time>,<time>e,...;<source of the newest>', oldest first, 'e' where SES had given up waiting. A set of
-- times: one bounce that is told twice counts once.
local function soft_bounces(soft, address)
  local times = {}
  local stored, source = string.match(redis.call('HGET', soft, address) or '', '^([^;]*);(.*)$')
  for time_text, expired in string.gmatch(stored or '', '(%d+)(e?)') do
    times[#times + 1] = {at = tonumber(time_text), expired = expired == 'e'}
  end
  return times, source
end

local function store_soft_bounces(soft, address, times, source)
  if #times == 0 then
    redis.call('HDEL', soft, address)
    return
  end
  local texts = {}
  for place, bounce in ipairs(times) do
    texts[place] = whole(bounce.at) .. (bounce.expired and 'e' or '')
  end
  redis.call('HSET', soft, address, table.concat(texts, ',') .. ';' .. source)
  redis.call('EXPIRE', soft, soft_memory_seconds)
end

local function is_dead(times)
  local first, last, expiries = nil, nil, 0
  for _, bounce in ipairs(times) do
    if bounce.expired then
      first, last, expiries = first or bounce.at, bounce.at, expiries + 1
    end
  end
  return expiries >= expiries_limit and last - first >= expiries_span
end

local function soft_bounce(soft, bucket, address, expired, at, source)
  local times, newest_source = soft_bounces(soft, address)
  local known = false
  for _, bounce in ipairs(times) do
    if bounce.at == at then
      bounce.expired = bounce.expired or expired
      known = true
    end
  end
  if not known then
    times[#times + 1] = {at = at, expired = expired}
    table.sort(times, function(one, other) return one.at < other.at end)
    if #times > soft_limit then
      table.remove(times, 1)
    end
  end
  if newest_source and times[#times].at > at then
    source = newest_source
  end
  store_soft_bounces(soft, address, times, source)
  local newest_seconds = math.floor(times[#times].at / 1000)
  if is_dead(times) then
    return suppress(bucket, address, {reason = 'b', added = newest_seconds, source = source})
  end
  if #times >= soft_limit then
    return suppress(bucket, address,
      {reason = 't', added = newest_seconds, expires = newest_seconds + transient_seconds, source = source})
  end
  return 0
end

-- A delivery ends the row of the bounces before it. It lifts no suppression.
local function forget_soft_bounces(soft, address, delivered_at)
  local times, source = soft_bounces(soft, address)
  if #times == 0 then
    return
  end
  local later = {}
  for _, bounce in ipairs(times) do
    if bounce.at > delivered_at then
      later[#later + 1] = bounce
    end
  end
  if #later < #times then
    store_soft_bounces(soft, address, later, source)
  end
end

-- One event ---------------------------------------------------------------------------------------------------------

local function apply_to_addresses(event)
  -- A clock ahead of ours, or none: it happened by now.
  local at = event.at and math.min(event.at, now) or now
  local new = 0
  for _, entry in ipairs(event.suppress) do
    new = new + suppress(KEYS[entry[1]], entry[2],
      {reason = entry[3], added = math.floor(at / 1000), source = event.source})
  end
  for _, entry in ipairs(event.soft) do
    new = new + soft_bounce(KEYS[entry[1]], KEYS[entry[2]], entry[3], entry[4] == 1, at, event.source)
  end
  for _, entry in ipairs(event.delivered) do
    forget_soft_bounces(KEYS[entry[1]], entry[2], at)
  end
  counted.bounced = counted.bounced + event.bounced
  counted.complained = counted.complained + event.complained
  return new
end

local function apply(event)
  local settled, lane, duplicates = 0, '', 0
  if event.job_key then
    settled, lane, duplicates = apply_to_job(event)
  end
  -- A known event must not touch addresses again: a person may have taken one off the list since.
  if event.event_key and redis.call('EXISTS', KEYS[event.event_key]) == 1 then
    return {0, settled, lane, duplicates, 0}
  end
  local suppressed = apply_to_addresses(event)
  if event.event_key then
    redis.call('SET', KEYS[event.event_key], '1', 'EX', event_memory_seconds)
  end
  return {1, settled, lane, duplicates, suppressed}
end

local function count_in(bucket, ttl_seconds)
  for name, number in pairs(counted) do
    if number > 0 then
      redis.call('HINCRBY', bucket, name, number)
      redis.call('EXPIRE', bucket, ttl_seconds)
    end
  end
end

local function bucket_at(bucket_of_zero, number)
  return string.sub(bucket_of_zero, 1, -2) .. number
end

-- With several consumers, progress only moves forward.
local function advance(name, value)
  if value > tonumber(redis.call('HGET', KEYS[4], name) or '0') then
    redis.call('HSET', KEYS[4], name, whole(value))
  end
end

local replies = {}
for place = 9, #ARGV do
  replies[#replies + 1] = apply(cjson.decode(ARGV[place]))
end
count_in(bucket_at(KEYS[5], math.floor(now_seconds / 60)), 7200)
count_in(bucket_at(KEYS[6], math.floor(now_seconds / 3600)), 691200)
advance('polled_at_ms', now)
if #replies > 0 then
  advance('last_event_at_ms', now)
end
if ARGV[8] ~= '' then
  advance('empty_at_ms', tonumber(ARGV[8]))
end
return {now, replies}
