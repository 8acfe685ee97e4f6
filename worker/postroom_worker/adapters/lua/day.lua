-- Units: recipients; buckets of a 1,440th of the window each (a minute of 24 hours), numbered since the epoch.
--
-- The rolling window, counted in buckets (up to one more than the window, never less): put before scripts that need it. The hash holds a field for each bucket, `total`
-- of the window, and `first`, the oldest bucket in `total`. Buckets stay for two hours of the window beyond it, since SES
-- reports late and is compared with what we had sent by then.
local DAY_BUCKETS, DAY_KEPT = 1440, 120

-- Moves the window to `bucket` and returns what was sent in it.
local function day_total(key, bucket)
  local known = redis.call('HMGET', key, 'first', 'total')
  local first, total = tonumber(known[1] or ''), tonumber(known[2] or '0')
  -- The running bucket and 1,440 whole ones: a bucket leaves when all of it is older than the window, never before.
  local oldest = bucket - DAY_BUCKETS
  if not first then
    first = oldest
    redis.call('HSET', key, 'first', first, 'total', total)
  end
  if first >= oldest then
    return total
  end
  if oldest - first > DAY_BUCKETS then
    -- Nobody has sent for longer than the window.
    redis.call('DEL', key)
    total = 0
  else
    for passed = first, oldest - 1 do
      total = total - tonumber(redis.call('HGET', key, passed) or '0')
      redis.call('HDEL', key, passed - DAY_KEPT)
    end
  end
  redis.call('HSET', key, 'first', oldest, 'total', total)
  return total
end

-- Counts recipients in a bucket; less than nothing takes some back.
local function day_count(key, bucket, recipients)
  redis.call('HINCRBY', key, bucket, recipients)
  if bucket >= tonumber(redis.call('HGET', key, 'first') or '0') then
    redis.call('HINCRBY', key, 'total', recipients)
  end
end

-- What each lane may still send in the window, from fields of the quota hash: limit, others, reserves of the better lanes.
-- nil where SES sets no limit.
local function day_left(limit, others, reserve_critical, reserve_transactional, total)
  limit = tonumber(limit or '-1')
  if limit < 0 then
    return nil
  end
  local left = limit - total - tonumber(others or '0')
  local critical, transactional = limit * tonumber(reserve_critical or '0'), limit * tonumber(reserve_transactional or '0')
  return {critical = left, transactional = left - critical, bulk = left - critical - transactional}
end

