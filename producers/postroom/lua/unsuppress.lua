-- Units: times in whole seconds since the epoch.
--
-- Removes the suppression entry of one address.
--
-- KEYS  1 count, 2 bucket
-- ARGV  1 canonical address
-- Reply 1 if the address was suppressed, else 0 (an entry whose time had passed is removed as well)

local stored = redis.call('HGET', KEYS[2], ARGV[1])
if not stored then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DECR', KEYS[1])
local expires_at = tonumber(string.match(stored, '^[^;]*;[^;]*;([^;]*);') or '')
if expires_at and expires_at <= tonumber(redis.call('TIME')[1]) then
  return 0
end
return 1
