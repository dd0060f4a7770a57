import {
  LOG_LEVELS,
  MAX_LEVEL_MS,
  readLevelWish,
  type TenantLogLevels,
} from '../telemetry/log/tenant-log-levels.ts'
import { LogLevelsFullError } from '../telemetry/telemetry-errors.ts'
import { parseTenantName } from '../tenancy/tenant-name.ts'
import { type AdminResponse, json, refusal } from './admin-response.ts'

/** What is asked about the log level of one tenant. */
export interface LevelQuestion {
  readonly method: string
  readonly name: string
  /** Such as `level=debug&forMs=600000`. */
  readonly query: string
}

/** The tenants that have a level of their own. */
export function showLogLevels(levels: TenantLogLevels): AdminResponse {
  const entries = levels.list().map(({ tenant, level, leftMs }) => {
    return [tenant, { level, leftMs: leftMs && Math.round(leftMs) }] as const
  })
  return json(200, { tenants: Object.fromEntries(entries) })
}

/** PUT sets the level of a tenant, whether it is known or not; DELETE gives it the common one. */
export function changeLogLevel(
  levels: TenantLogLevels,
  { method, name, query }: LevelQuestion,
): AdminResponse {
  const tenant = parseTenantName(name)
  if (tenant === undefined) {
    return refusal(400, 'no name of a tenant', 'Write /log/tenants/ and the name of a tenant.')
  }
  if (method === 'DELETE') {
    levels.clear(tenant)
    return showLogLevels(levels)
  }
  const asked = new URLSearchParams(query)
  const wish = readLevelWish(asked.get('level') ?? '', asked.get('forMs') ?? undefined)
  if (wish === undefined) {
    const remedy = `Give ?level=, one of ${LOG_LEVELS.join(', ')}, and perhaps &forMs=, up to ${MAX_LEVEL_MS}.`
    return refusal(400, 'no such level, or no such time', remedy)
  }
  return set(levels, tenant, wish)
}

function set(
  levels: TenantLogLevels,
  tenant: string,
  { level, forMs }: NonNullable<ReturnType<typeof readLevelWish>>,
): AdminResponse {
  try {
    levels.set(tenant, level, forMs)
    return showLogLevels(levels)
  } catch (error) {
    if (!(error instanceof LogLevelsFullError)) throw error
    return refusal(409, error.clientMessage, error.hint)
  }
}
