-- Units: times in microseconds since the epoch by Redis's own clock, rates in recipients per second, leases in seconds.
--
-- Claims jobs together with their send slots, slots first: GCRA without burst, one slot is the permission to send to one
-- recipient. No slot is reserved beyond the horizon, so that a halved rate acts at once; only an email with more
-- recipients than that gets what it needs in one piece, as SES's own bucket lets it through and makes the next ones pay.
-- What is claimed is recorded as unacknowledged in kombu's own format, in the same step: nothing is ever in nobody's
-- hands, and a stock Celery worker can take over.
--
-- KEYS[1] send slots: time of the next free slot   KEYS[2] quota hash
-- KEYS[3] unacked   KEYS[4] unacked index   KEYS[5] dead letters   KEYS[6] dead letter messages
-- KEYS[7] dead letter reasons   KEYS[8] paused lanes   KEYS[9] sending gate
-- KEYS[10] the rolling window (day.lua, which stands before this)   KEYS[11] lane credits
-- then the lists to take from, best first
-- ARGV[1] horizon   ARGV[2] recipients of jobs that the caller holds without slots, and ARGV[3] how many of these the
-- first job needs in one piece   ARGV[4] slots that it holds without jobs   ARGV[5] most jobs and ARGV[6] most recipients
-- of this call   ARGV[7] the task's name
-- then for each list: its queue's name, its lane, and how many more jobs of that lane the caller has room for
--
-- Better lanes go first; but while a lane waits, it gains credit with every recipient that goes before it, its share of
-- the rate, and goes first when it has credit for one: no lane starves for ever.
--
-- Returns {slots, wait until the first of them, interval between them, wait until asking again makes sense, more,
-- dead-lettered, recipients of the jobs, jobs, closed lanes, wait until these may open}: `wait until asking` is 0 where slots were free; `more` is 1 if jobs may be left that slots or
-- room were missing for, 0 if the lists are empty; `slots` is -1 while no rate is known: nobody may send. `jobs` is a
-- flat list of queue, delivery tag, message. The interval comes as text, since Lua's numbers lose their fraction.
local PAUSED_LOOK = 1000000 -- how soon a worker notices that a paused lane was resumed
local PROBE = 5000000 -- time for a probe to be answered: a send's usual 100 ms, with room for a slow one
local quota = redis.call('HMGET', KEYS[2], 'working_rate', 'slow_factor', 'slowed_at_us', 'slow_recovery', 'day_limit',
  'day_others', 'day_reserve_critical', 'day_reserve_transactional', 'day_bucket_us', 'share_transactional', 'share_bulk')
local rate = tonumber(quota[1] or '')
if not rate or rate <= 0 then
  return {-1, 0, '0', 0, 1, 0, 0, {}, {}, 0}
end
local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000000 + tonumber(time[2])
if quota[2] then
  -- SES throttled us: it climbs back from there.
  local seconds = (now - tonumber(quota[3])) / 1000000
  rate = rate * math.min(1, tonumber(quota[2]) + seconds * tonumber(quota[4]))
end
local interval = 1000000 / rate
local horizon, owed, owed_first, spare = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most_jobs, most_recipients, task = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local first = tonumber(redis.call('GET', KEYS[1]) or '0')
if first < now then
  first = now
end
local free = math.floor((now + horizon - first) / interval) + 1
if free < 0 then
  free = 0
end
-- A closed gate lets one probe through when its time is over; a send that SES accepts opens it (settle.lua).
local closed_until = tonumber(redis.call('HGET', KEYS[9], 'closed_until_us') or '')
if closed_until then
  if closed_until > now then
    return {0, 0, '0', math.ceil(closed_until - now), 1, 0, 0, {}, {}, 0}
  end
  if free > 0 then
    redis.call('HSET', KEYS[9], 'closed_until_us', string.format('%.0f', now + PROBE))
    free, owed = 1, math.min(owed, 1)
    most_jobs, spare = 1, 0
  end
end
local wait = 0
if free == 0 then
  wait = math.ceil(first - now - horizon)
end

local taken = 0 -- slots taken in this call
local jobs, dead, more = {}, 0, 0

-- Jobs that the caller holds come first: they were claimed before, and lost their slots to a stall.
if owed > 0 and free > 0 then
  taken = math.min(owed, math.max(free, owed_first))
end

local function bury(queue, raw, id, reason)
  local name = id or ('unreadable:' .. redis.sha1hex(raw))
  local kept = redis.call('HGET', KEYS[6], name)
  if kept and kept ~= queue .. ' ' .. raw then
    name = name .. ':' .. redis.sha1hex(raw) -- another that calls itself the same: both are kept
  end
  redis.call('ZADD', KEYS[5], math.floor(now / 1000), name)
  redis.call('HSET', KEYS[6], name, queue .. ' ' .. raw)
  redis.call('HSET', KEYS[7], name, reason)
  dead = dead + 1
end

-- Returns delivery tag and cost of a message, or nil, its id if it has one, and why it cannot be worked on.
local function read(raw)
  local readable, message = pcall(cjson.decode, raw)
  if not readable or type(message) ~= 'table' then
    return nil, nil, nil, 'not JSON'
  end
  local headers, properties = message.headers, message.properties
  if type(headers) ~= 'table' or type(properties) ~= 'table' then
    return nil, nil, nil, 'no Celery message of protocol 2'
  end
  local id = headers.id
  if type(id) ~= 'string' or id == '' or #id > 255 then
    id = nil
  end
  if headers.task ~= task then
    return nil, nil, id, 'an unknown task'
  end
  if type(message.body) ~= 'string' or message['content-type'] ~= 'application/json' then
    return nil, nil, id, 'no JSON body'
  end
  local tag = properties.delivery_tag
  if type(tag) ~= 'string' or tag == '' or #tag > 255 then
    return nil, nil, id, 'no delivery tag'
  end
  if redis.call('HEXISTS', KEYS[3], tag) == 1 then
    return nil, nil, id, 'its delivery tag is in use by another message'
  end
  local recipients = headers.recipients
  if type(recipients) ~= 'number' or recipients < 1 or recipients > 50 then
    recipients = 1 -- a producer that does not say; the begin step knows, and the worker takes the missing slots then
  end
  return tag, math.floor(recipients), id, nil
end

-- Lanes that may be taken from, and the lists of each, best first.
local lanes, lists, room, closed, closed_wait = {}, {}, {}, {}, 0
local bucket_us = tonumber(quota[9] or '60000000')
local bucket = math.floor(now / bucket_us)
local left = day_left(quota[5], quota[6], quota[7], quota[8], day_total(KEYS[10], bucket))

local function close(lane, wait_us)
  room[lane] = nil
  closed[#closed + 1] = lane
  closed_wait = closed_wait == 0 and wait_us or math.min(closed_wait, wait_us)
end
local next_bucket = (bucket + 1) * bucket_us - now

for list = 12, #KEYS do
  local arg = 8 + (list - 12) * 3
  local lane = ARGV[arg + 1]
  if not lists[lane] then
    lanes[#lanes + 1], lists[lane], room[lane] = lane, {}, tonumber(ARGV[arg + 2])
    if redis.call('SISMEMBER', KEYS[8], lane) == 1 then
      close(lane, PAUSED_LOOK)
    elseif left and left[lane] < 1 then
      close(lane, next_bucket)
    end
  end
  table.insert(lists[lane], {key = KEYS[list], queue = ARGV[arg]})
end

local function waits(lane)
  for _, list in ipairs(lists[lane]) do
    if redis.call('EXISTS', list.key) == 1 then
      return true
    end
  end
  return false
end

local share = {critical = 0, transactional = tonumber(quota[10] or '0'), bulk = tonumber(quota[11] or '0')}
local credit, stored, waiting = {}, {}, {}
for _, lane in ipairs(lanes) do
  waiting[lane] = room[lane] ~= nil and waits(lane)
  stored[lane] = tonumber(redis.call('HGET', KEYS[11], lane) or '0')
  credit[lane] = stored[lane]
  if room[lane] == 0 and waiting[lane] then
    more, waiting[lane] = 1, false
  end
end

-- The lane whose turn it is: one with credit for a recipient, else the best; nil where none waits.
local function turn()
  for place = #lanes, 2, -1 do
    if waiting[lanes[place]] and credit[lanes[place]] >= 1 then
      return lanes[place]
    end
  end
  for _, lane in ipairs(lanes) do
    if waiting[lane] then
      return lane
    end
  end
  return nil
end

local function pop(lane)
  for _, list in ipairs(lists[lane]) do
    local raw = redis.call('RPOP', list.key)
    if raw then
      return raw, list
    end
  end
  return nil, nil
end

local recipients_taken = 0
while true do
  local lane = turn()
  if not lane then
    break
  end
  if #jobs / 3 >= most_jobs or recipients_taken >= most_recipients or (spare == 0 and taken >= free) then
    more = 1
    break
  end
  local raw, list = pop(lane)
  if not raw then
    waiting[lane] = false
  else
    local tag, recipients, id, reason = read(raw)
    if not tag then
      bury(list.queue, raw, id, reason)
    elseif left and left[lane] < recipients then
      -- More recipients than the window has left for its lane: it goes first when some have freed.
      redis.call('RPUSH', list.key, raw)
      waiting[lane] = false
      close(lane, next_bucket)
    elseif not (recipients == 1 and spare > 0) and taken >= free then
      -- Only single slots are left over, and it needs several in one piece: next time.
      redis.call('RPUSH', list.key, raw)
      more = 1
      break
    else
      if recipients == 1 and spare > 0 then
        spare = spare - 1
      else
        taken = taken + recipients
      end
      redis.call('HSET', KEYS[3], tag, '[' .. raw .. ', "", ' .. cjson.encode(list.queue) .. ']')
      redis.call('ZADD', KEYS[4], now / 1000000, tag)
      local place = #jobs
      jobs[place + 1], jobs[place + 2], jobs[place + 3] = list.queue, tag, raw
      recipients_taken = recipients_taken + recipients
      if left then
        for name in pairs(left) do
          left[name] = left[name] - recipients
        end
      end
      room[lane] = room[lane] - 1
      if room[lane] == 0 then
        waiting[lane] = false
        if waits(lane) then
          more = 1
        end
      end
      if credit[lane] >= 1 then
        credit[lane] = credit[lane] - recipients
      end
      for _, other in ipairs(lanes) do
        if other ~= lane and waiting[other] then
          credit[other] = credit[other] + recipients * share[other]
        end
      end
    end
  end
end

for _, lane in ipairs(lanes) do
  -- What nobody waited for is no debt: credit is for the lanes that wait.
  if waiting[lane] and credit[lane] ~= stored[lane] then
    redis.call('HSET', KEYS[11], lane, string.format('%.4f', math.min(credit[lane], 50)))
  elseif room[lane] ~= nil and not waiting[lane] and stored[lane] ~= 0 then
    redis.call('HDEL', KEYS[11], lane)
  end
end

if taken > 0 then
  local next_free = first + taken * interval
  -- The key outlives its last slot by a minute; after that an absent key and one in the past mean the same.
  redis.call('SET', KEYS[1], string.format('%.3f', next_free), 'PX', math.ceil((next_free - now) / 1000) + 60000)
end
return {taken, math.ceil(first - now), string.format('%.6f', interval), wait, more, dead, recipients_taken, jobs, closed, math.ceil(closed_wait)}
