import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'

/** A script that Redis keeps by its hash once it has seen it. */
export interface RedisScript {
  readonly lua: string
  readonly sha: string
}

/** Longer values are not read, and are overwritten as unreadable ones. */
export const MAX_VALUE_BYTES = 1_048_576

/** Lua: `stored` is a string, or false where there is none that could be read as one. */
const GET_STORED = `
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then
  if not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
  stored = false
end
`

/**
 * Sets KEYS[1] to ARGV[1] for ARGV[2] ms, unless a value with an `asOf` above ARGV[3] is there.
 * A value that can't be read gives way, and so does one with the SHA-1 of ARGV[4]. Answers 1 when
 * it was set.
 */
export const COMPARE_AND_SET = scriptOf(`${GET_STORED}
if stored and #stored <= ${MAX_VALUE_BYTES}
    and redis.sha1hex(stored) ~= ARGV[4] then
  local isJson, value = pcall(cjson.decode, stored)
  if isJson and type(value) == 'table' and value.format == 1 and type(value.asOf) == 'number'
      and value.asOf > tonumber(ARGV[3]) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

/** Sets KEYS[1] to the version ARGV[1], unless a higher one is there. Answers 1 when it was set. */
export const RAISE = scriptOf(`${GET_STORED}
if stored and #stored <= 15 and string.match(stored, '^%d+$')
    and tonumber(stored) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
`)

/** Sends the script itself only where Redis does not have it, as after a restart. */
export async function runScript(
  redis: Redis,
  { lua, sha }: RedisScript,
  { key, args }: { readonly key: string; readonly args: readonly (string | number)[] },
): Promise<boolean> {
  try {
    return (await redis.evalsha(sha, 1, key, ...args)) === 1
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return (await redis.eval(lua, 1, key, ...args)) === 1
  }
}

function scriptOf(lua: string): RedisScript {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
