-- Units: none.
--
-- Puts a dead letter back into its queue, to wait behind what waits there, and starts its failures anew.
--
-- KEYS[1] dead letters   KEYS[2] dead letter messages   KEYS[3] dead letter reasons   KEYS[4] the job's record
-- ARGV[1] id of the dead letter   ARGV[2] a fresh delivery tag
-- Returns 1, or 0 for one that is not there any more, or -1 for one that no worker could read: it would come back.
local kept = redis.call('HGET', KEYS[2], ARGV[1])
if not kept then
  return 0
end
local queue, raw = string.match(kept, '^(%S+) (.*)$')
local readable, message = pcall(cjson.decode, raw or '')
if not readable or type(message) ~= 'table' or type(message.properties) ~= 'table' then
  return -1
end
local tag = message.properties.delivery_tag
if type(tag) ~= 'string' then
  return -1
end

-- The bytes stay as they came, all but the tag: cjson would write numbers and empty lists in another way. As some write
-- JSON, the tag stands there as it is, as others do, with / as \/.
local function with_fresh_tag(written)
  local known = '("delivery_tag"%s*:%s*)' .. string.gsub(written, '%W', '%%%0')
  local fresh, replaced = string.gsub(raw, known, '%1"' .. ARGV[2] .. '"', 1)
  return replaced > 0 and fresh
end
local fresh = with_fresh_tag('"' .. tag .. '"') or with_fresh_tag(cjson.encode(tag))
if not fresh then
  return -1
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[4], 'state') == 'dead_lettered' then
  redis.call('HSET', KEYS[4], 'state', 'queued', 'failures', 0)
  redis.call('HDEL', KEYS[4], 'reason', 'settled_ms', 'settled_by')
  redis.call('PERSIST', KEYS[4])
end
redis.call('LPUSH', queue, fresh)
return 1
