-- Units: times in whole seconds since the epoch.
--
-- Writes suppression entries, packed '<reason letter>;<added at>;<expires at or empty>;<source>'. A permanent entry
-- keeps its first reason and time, whatever comes later; one that expires gives way to a permanent one or to one that
-- expires later. An entry whose time has passed counts as absent.
--
-- KEYS  1 count, then for each entry its bucket
-- ARGV  for each entry: canonical address, reason letter, added at ('' for now), expires at ('' for never, '+n' for n
--       seconds from now), source
-- Reply numbers of entries: added, replaced, kept as they were

local ARGS_PER_ENTRY = 5

local now = tonumber(redis.call('TIME')[1])
local added, replaced, kept = 0, 0, 0

for entry = 0, #ARGV / ARGS_PER_ENTRY - 1 do
  local bucket, arg = KEYS[entry + 2], entry * ARGS_PER_ENTRY
  local address, letter, source = ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 5]
  local added_at, expires_at = ARGV[arg + 3], ARGV[arg + 4]
  if added_at == '' then
    added_at = string.format('%d', now)
  end
  if string.sub(expires_at, 1, 1) == '+' then
    expires_at = string.format('%d', now + tonumber(string.sub(expires_at, 2)))
  end
  local expiry = tonumber(expires_at)
  local stored = redis.call('HGET', bucket, address)
  -- No number, no expiry: what cannot be read counts as permanent.
  local stored_expiry = stored and tonumber(string.match(stored, '^[^;]*;[^;]*;([^;]*);') or '')
  local lapsed = stored_expiry and stored_expiry <= now
  local gives_way = stored_expiry and (not expiry or expiry > stored_expiry)
  if stored and not lapsed and not gives_way then
    kept = kept + 1
  elseif expiry and expiry <= now then
    -- An import of what has already lapsed. What is stored, if anything, has lapsed as well.
    kept = kept + 1
  else
    redis.call('HSET', bucket, address, letter .. ';' .. added_at .. ';' .. expires_at .. ';' .. source)
    if stored and not lapsed then
      replaced = replaced + 1
    else
      added = added + 1
    end
    if not stored then
      redis.call('INCR', KEYS[1])
    end
  end
end
return { added, replaced, kept }
