import { z } from 'zod'
import { parseTenantName, type TenantName } from '../../tenancy/tenant-name.ts'

/** The longest delay that a Node timer can keep, about 24.8 days. */
const MAX_TIMER_MS = 2_147_483_647

/** Says what a text must be and what to do; `issue-text.ts` prints both. */
export function problem(
  error: string,
  remedy: string,
): { error: string; params: { remedy: string } } {
  return { error, params: { remedy } }
}

const nonEmpty = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'), {
    ...problem('holds a zero byte', 'Remove it: Postgres has no way to take it.'),
  })
const count = z.int().min(0).max(1_000_000)
const port = z.int().min(1).max(65_535)
const ms = z.int().min(0).max(MAX_TIMER_MS)
const poolMode = z.enum(['transaction', 'session'])
const isolationLevel = z.enum(['convenience', 'guarded', 'sealed'])
const pins = z.enum(['allow', 'refuse'])
const poolSize = z.int().min(1).max(10_000)

/** A name of Postgres: longer ones would be cut silently, and two could become one. */
const identifier = nonEmpty.refine((text) => Buffer.byteLength(text) <= 63, {
  ...problem('is longer than the 63 bytes that Postgres keeps of a name', 'Shorten it.'),
})

const settingName = z
  .string()
  .refine((text) => /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*$/.test(text), {
    ...problem('is no name of a Postgres setting', 'Write it as in SHOW, such as app.tenant_id.'),
  })

const carriedSettings = z.array(settingName)

const tenantName = z
  .string()
  .refine((text): text is TenantName => parseTenantName(text) !== undefined, {
    ...problem(
      'is no tenant name',
      'Use 1 to 63 of a-z, 0-9, _ and -, with a letter or digit at both ends.',
    ),
  })

/** Shapes of values that many settings have. */
export const fields = {
  nonEmpty,
  identifier,
  settingName,
  tenantName,
  poolMode,
  poolSize,
  isolationLevel,
  pins,
  carriedSettings,
  ms,
  count,
  port,
}
