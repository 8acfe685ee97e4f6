-- Units: seconds since the epoch by Redis's own clock.
--
-- Gives messages of workers that have shown no sign of life for the visibility timeout back to their queues, to the end
-- that workers take from. All but the delivery tag goes back as it came. An entry is `[message, "exchange", "queue"]`, as kombu writes it.
--
-- KEYS[1] unacked   KEYS[2] unacked index   KEYS[3] dead letters   KEYS[4] dead letter messages
-- KEYS[5] dead letter reasons   ARGV[1] visibility timeout   ARGV[2] at most this many
-- Returns how many were given back.
local time = redis.call('TIME')
local lapsed = tonumber(time[1]) + tonumber(time[2]) / 1000000 - tonumber(ARGV[1])
local tags = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', lapsed, 'LIMIT', 0, tonumber(ARGV[2]))
local given = 0
for _, tag in ipairs(tags) do
  local entry = redis.call('HGET', KEYS[1], tag)
  if entry then
    local raw, queue = string.match(entry, '^%[(.*), "[^"]*", "([^"]*)"%]$')
    if raw then
      -- Under a fresh tag: a late acknowledgement of whoever held it must not let go of what another holds by then.
      local fresh = redis.sha1hex(tag .. time[1] .. '.' .. time[2])
      local known = '("delivery_tag": ?")' .. string.gsub(tag, '%W', '%%%0') .. '"'
      redis.call('RPUSH', queue, (string.gsub(raw, known, '%1' .. fresh .. '"', 1)))
      given = given + 1
    else
      redis.call('ZADD', KEYS[3], math.floor((lapsed + tonumber(ARGV[1])) * 1000), 'unreadable:' .. tag)
      redis.call('HSET', KEYS[4], 'unreadable:' .. tag, '? ' .. entry)
      redis.call('HSET', KEYS[5], 'unreadable:' .. tag, 'held in a form that cannot be read')
    end
    redis.call('HDEL', KEYS[1], tag)
  end
  redis.call('ZREM', KEYS[2], tag)
end
return given
