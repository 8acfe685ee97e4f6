-- Units: times in microseconds since the epoch by Redis's own clock, rates in recipients per second, leases in seconds.
--
-- Claims jobs together with their send slots, slots first: GCRA without burst, one slot is the permission to send to one
-- recipient. No slot is reserved beyond the horizon, so that a halved rate acts at once; only an email with more
-- recipients than that gets what it needs in one piece, as SES's own bucket lets it through and makes the next ones pay.
-- What is claimed is recorded as unacknowledged in kombu's own format, in the same step: nothing is ever in nobody's
-- hands, and a stock Celery worker can take over.
--
-- KEYS[1] send slots: time of the next free slot   KEYS[2] quota hash (field working_rate)
-- KEYS[3] unacked   KEYS[4] unacked index   KEYS[5] dead letters   KEYS[6] dead letter messages
-- KEYS[7] dead letter reasons   KEYS[8] paused lanes   KEYS[9] sending gate
-- then the lists to take from, best first
-- ARGV[1] horizon   ARGV[2] recipients of jobs that the caller holds without slots, and ARGV[3] how many of these the
-- first job needs in one piece   ARGV[4] slots that it holds without jobs   ARGV[5] most jobs and ARGV[6] most recipients
-- of this call   ARGV[7] the task's name
-- then for each list: its queue's name, its lane, and how many more jobs of that lane the caller has room for
--
-- Returns {slots, wait until the first of them, interval between them, wait until asking again makes sense, more,
-- dead-lettered, recipients of the jobs, jobs}: `wait until asking` is 0 where slots were free; `more` is 1 if jobs may be left that slots or
-- room were missing for, 0 if the lists are empty; `slots` is -1 while no rate is known: nobody may send. `jobs` is a
-- flat list of queue, delivery tag, message. The interval comes as text, since Lua's numbers lose their fraction.
local PROBE = 5000000 -- time for a probe to be answered: a send's usual 100 ms, with room for a slow one
local rate = tonumber(redis.call('HGET', KEYS[2], 'working_rate') or '')
if not rate or rate <= 0 then
  return {-1, 0, '0', 0, 1, 0, 0, {}}
end
local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000000 + tonumber(time[2])
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
    return {0, 0, '0', math.ceil(closed_until - now), 1, 0, 0, {}}
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

local recipients_taken = 0
local room = {}
for list = 10, #KEYS do
  local arg = 8 + (list - 10) * 3
  local queue, lane = ARGV[arg], ARGV[arg + 1]
  if not room[lane] then
    room[lane] = tonumber(ARGV[arg + 2])
    if redis.call('SISMEMBER', KEYS[8], lane) == 1 then
      room[lane] = -1 -- paused: neither taken from nor waited for
    end
  end
  while room[lane] >= 0 do
    if room[lane] == 0 or #jobs / 3 >= most_jobs or recipients_taken >= most_recipients or (spare == 0 and taken >= free) then
      if redis.call('EXISTS', KEYS[list]) == 1 then
        more = 1
      end
      break
    end
    local raw = redis.call('RPOP', KEYS[list])
    if not raw then
      break
    end
    local tag, recipients, id, reason = read(raw)
    if not tag then
      bury(queue, raw, id, reason)
    else
      if recipients == 1 and spare > 0 then
        spare = spare - 1
      elseif taken < free then
        taken = taken + recipients
      else
        -- Only single slots are left over, and it needs several in one piece: next time.
        redis.call('RPUSH', KEYS[list], raw)
        more = 1
        break
      end
      redis.call('HSET', KEYS[3], tag, '[' .. raw .. ', "", ' .. cjson.encode(queue) .. ']')
      redis.call('ZADD', KEYS[4], now / 1000000, tag)
      local place = #jobs
      jobs[place + 1], jobs[place + 2], jobs[place + 3] = queue, tag, raw
      room[lane] = room[lane] - 1
      recipients_taken = recipients_taken + recipients
    end
  end
end

if taken > 0 then
  local next_free = first + taken * interval
  -- The key outlives its last slot by a minute; after that an absent key and one in the past mean the same.
  redis.call('SET', KEYS[1], string.format('%.3f', next_free), 'PX', math.ceil((next_free - now) / 1000) + 60000)
end
return {taken, math.ceil(first - now), string.format('%.6f', interval), wait, more, dead, recipients_taken, jobs}
