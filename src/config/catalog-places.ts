import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readTarget } from '../catalog/documents/server-access.ts'
import type { ServerTlsReader } from '../catalog/documents/server-tls.ts'
import type { ServerTarget } from '../catalog/route.ts'
import { checkKeyIds } from './key-schema.ts'
import type { ProblemReport } from './problem-report.ts'
import type { SettingGroups } from './settings-schema.ts'

type CatalogSettings = SettingGroups['catalog']

/** Where the catalog lies, beside the file. */
export interface CatalogPlaces {
  /** `undefined`: the file alone names tenants. */
  readonly postgres: ServerTarget | undefined
  /** PEM of the authorities for Redis; `undefined`: those that Node.js knows. */
  readonly redisCa: string | undefined
}

/** Where Redis can be: each excludes the others. */
const REDIS_PLACES = ['url', 'cluster', 'sentinels'] as const

/** Reads what the settings of the catalog name, and reports those that contradict each other. */
export function readCatalogPlaces(
  settings: CatalogSettings,
  report: ProblemReport,
  tlsReader: ServerTlsReader,
): CatalogPlaces {
  const { postgres, redis } = settings
  checkTimes(settings, report)
  checkKeyIds(settings.keys, ['catalog', 'keys'], report)
  checkRedis(settings, report)
  if (postgres.query !== undefined && postgres.url === undefined) {
    const remedy = 'Name the database that it asks in catalog.postgres.url.'
    report.add(['catalog', 'postgres', 'query'], { message: 'has nobody to ask', remedy })
  }
  const path = ['catalog', 'postgres', 'url']
  const surroundings = { report, tlsReader }
  return {
    postgres: postgres.url === undefined ? undefined : readTarget(postgres.url, path, surroundings),
    redisCa: redis.ca === undefined ? undefined : readAuthorities(redis.ca, report),
  }
}

function checkTimes(settings: CatalogSettings, report: ProblemReport): void {
  const { ttlMs, maxStaleMs, breakerMinMs, breakerMaxMs } = settings
  if (maxStaleMs < ttlMs) {
    const message = `is less than catalog.ttlMs, ${ttlMs}`
    report.add(['catalog', 'maxStaleMs'], { message, remedy: 'Raise it, or lower the other.' })
  }
  if (breakerMaxMs < breakerMinMs) {
    const message = `is less than catalog.breakerMinMs, ${breakerMinMs}`
    report.add(['catalog', 'breakerMaxMs'], { message, remedy: 'Raise it, or lower the other.' })
  }
}

function checkRedis(settings: CatalogSettings, report: ProblemReport): void {
  const { postgres, redis, keys } = settings
  const add = (place: string, message: string, remedy: string) =>
    report.add(['catalog', 'redis', place], { message, remedy })
  for (const part of ['user', 'password'] as const) {
    if (redis[part] === undefined || redis.sentinels !== undefined) continue
    add(part, 'goes with catalog.redis.sentinels alone', 'Write it into the URL.')
  }
  const [first, second] = REDIS_PLACES.filter((place) => redis[place] !== undefined)
  if (first === undefined) return
  if (redis[first]?.length === 0) add(first, 'names no server', 'Add one, or remove the setting.')
  if (second !== undefined) {
    add(second, `does not go with catalog.redis.${first}`, 'Remove one of the two.')
  }
  if (postgres.url === undefined) {
    add(first, 'has nothing to keep', 'Set catalog.postgres.url: Redis is a cache of it.')
  } else if (postgres.query !== undefined && keys.length === 0) {
    const remedy = 'Add a key to catalog.keys: passwords stand in Redis sealed or not at all.'
    add(first, 'needs a key for the passwords that the query finds', remedy)
  }
}

function readAuthorities(path: string, report: ProblemReport): string | undefined {
  try {
    const pem = readFileSync(path, 'utf8')
    // Throws where there is no certificate in it.
    return new X509Certificate(pem) && pem
  } catch {
    const message = 'names no readable PEM file with a certificate'
    report.add(['catalog', 'redis', 'ca'], { message, remedy: 'Name the file of the authority.' })
    return undefined
  }
}
