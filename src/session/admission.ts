import type { Route } from '../catalog/route.ts'
import type { Lease } from '../pool/lease.ts'
import type { Pool } from '../pool/pool.ts'
import type { EffectsPolicy } from '../relay/effects-watch.ts'
import type { Roaming } from '../relay/request-stream.ts'
import type { StatementTable } from '../relay/statement-table.ts'
import { foldCase } from '../sql/fold-case.ts'
import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import type { Link } from '../tenancy/link.ts'
import { restingSettings } from '../tenancy/link.ts'
import { errorAnswer } from './error-answer.ts'
import type { Credential } from './follow/credential.ts'
import type { KeepPolicy } from './kept-state.ts'
import { PinRefusedError } from './session-errors.ts'
import type { SessionOptions } from './session-parts.ts'

/** What a login has led to. */
export interface Admission {
  readonly id: number
  readonly route: Route
  readonly credential: Credential
  /** The client's certificate names the tenant: it may act for no other. */
  readonly isTenantCertified: boolean
  /** Changes of the catalog that had been heard of when the route was resolved. */
  readonly since: number
  readonly pool: Pool
  readonly link: Link
  readonly options: SessionOptions
  /** ParameterStatus values of the greeting. */
  readonly parameters: ReadonlyMap<string, string>
  /** Values of the session, in the server's own spelling; see `ProvenLink`. */
  readonly settings: ReadonlyMap<string, string>
  /** The server connection of a client in session mode. */
  readonly lease: Lease | undefined
}

/** Reported, but not for a client to set. */
const FIXED_PARAMETERS: ReadonlySet<string> = new Set([
  'in_hot_standby',
  'integer_datetimes',
  'is_superuser',
  'server_encoding',
  'server_version',
  'session_authorization',
])
const IDENTITY_SETTINGS = ['role', 'session_authorization']

/** Clients with the same link share one: there may be thousands of them. */
const policies = new WeakMap<Link, KeepPolicy & EffectsPolicy>()

/** What is needed to follow a client from one server connection to the next. */
export function roaming(admission: Admission, table: StatementTable): Roaming | undefined {
  const { route, link, options } = admission
  if (route.pool.mode === 'session') return undefined
  return {
    statements: { table, family: table.family(link.tenantKey), limits: options.statements },
    effects: keepPolicy(admission),
  }
}

/** What may be done with the session state of a client in transaction mode. */
export function keepPolicy(admission: Admission): KeepPolicy & EffectsPolicy {
  const { link, options, parameters } = admission
  const known = policies.get(link)
  const isSame =
    known?.parameters === parameters && known.maxCarriedBytes === options.maxCarriedBytes
  if (known !== undefined && isSame) return known
  const policy = buildPolicy(admission)
  policies.set(link, policy)
  return policy
}

function buildPolicy({
  route,
  link,
  options,
  parameters,
  settings,
}: Admission): KeepPolicy & EffectsPolicy {
  const resting = route.tenancy.strategy === 'database' ? [] : restingSettings(route)
  const place = new Set([...resting.map(({ name }) => foldCase(name)), ...IDENTITY_SETTINGS])
  const isFree = (name: string) => !place.has(name) && !FIXED_PARAMETERS.has(name)
  const reported = new Set(Array.from(parameters.keys(), foldCase).filter(isFree))
  const listed = route.pool.carriedSettings.map(foldCase).filter(isFree)
  const carried = new Set([...reported, ...listed])
  const isRefusing = route.pool.pins === 'refuse'
  return {
    link,
    carried,
    reported,
    place,
    maxCarriedBytes: options.maxCarriedBytes,
    parameters,
    settings,
    refusal: (effects) => (isRefusing ? refusal(effects, carried) : undefined),
  }
}

function refusal(effects: StatementEffects, carried: ReadonlySet<string>): Buffer | undefined {
  const setting = effects.settings.find((name) => !carried.has(name))
  const isAboutSettings = setting !== undefined || effects.mayTouchAnySetting
  const kind = [...effects.makes].find(
    (made) => made !== 'code' && (made !== 'set' || isAboutSettings),
  )
  if (kind === undefined) return undefined
  const error = new PinRefusedError(kind === 'set' ? (setting ?? 'set_config') : kind)
  return errorAnswer(error, 'ERROR')
}
