-- Units: none.
--
-- Gives messages that a worker holds back to their queues, to the end that workers take from: they have waited already.
-- The bytes go back as they came. An entry is `[message, "exchange", "queue"]`, as kombu writes it.
--
-- KEYS[1] unacked   KEYS[2] unacked index   ARGV delivery tags
-- Returns how many were given back; one that somebody else has taken meanwhile is left alone.
local given = 0
for _, tag in ipairs(ARGV) do
  local entry = redis.call('HGET', KEYS[1], tag)
  if entry then
    local raw, queue = string.match(entry, '^%[(.*), "[^"]*", "([^"]*)"%]$')
    if raw then
      redis.call('RPUSH', queue, raw)
      redis.call('HDEL', KEYS[1], tag)
      redis.call('ZREM', KEYS[2], tag)
      given = given + 1
    end
    -- One that cannot be read stays held, until its lease lapses and it is buried (reclaim.lua).
  else
    redis.call('ZREM', KEYS[2], tag)
  end
end
return given
