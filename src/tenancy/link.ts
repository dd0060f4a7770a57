import { foldCase } from '../sql/fold-case.ts'
import { quoteLiteral, quoteSettingName } from '../sql/quote.ts'
import { formatSearchPath, parseSearchPath } from '../sql/search-path.ts'
import { type GuardedPlace, guardedPlace } from './guarded-place.ts'
import type { IsolationLevel } from './isolation.ts'
import { sealProof } from './seal-proof.ts'
import type { Setting, Tenancy } from './tenancy.ts'
import { placeQuery } from './verification.ts'

/** What has to be in force on a server connection while it acts for one client of one tenant. */
export interface Link {
  /** Tenant, version and all settings: equal keys mean the same state on the server. */
  readonly key: string
  /** Tenant and version alone: equal tenant keys differ at most in the client's own settings. */
  readonly tenantKey: string
  readonly tenant: string
  /** What texts may not leave, and connections are verified by; `undefined`: nobody looks. */
  readonly guard: GuardedPlace | undefined
  /** For a signed token, which is made for each server connection. */
  readonly token: TokenPlace | undefined
  /** An expression that tells why the level `sealed` is not met, NULL if it is; see `sealProof`. */
  readonly proof: string | undefined
  /** Put in force in this order: the tenant's place, its settings, its role. */
  readonly tenantSettings: readonly Setting[]
  /** The client's own settings, put in force last, with the rights of the role. */
  readonly clientSettings: readonly Setting[]
}

/** Where a token goes, and whose it is. */
export interface TokenPlace {
  readonly setting: string
  readonly tenantId: string
}

/** What a tenant's record says about linking. */
export interface LinkSource {
  readonly tenant: string
  readonly version: number
  readonly tenancy: Tenancy
  readonly isolation: IsolationLevel
  readonly settings: readonly Setting[]
  readonly role: string | undefined
}

/** The link of one client of a tenant. `clientSettings` must have been admitted. */
export function buildLink(source: LinkSource, clientSettings: readonly Setting[]): Link {
  const tenantKey = `${source.tenant}@${source.version}`
  return {
    key: linkKey(tenantKey, clientSettings),
    tenantKey,
    tenant: source.tenant,
    guard: guardedPlace(source),
    token: tokenPlace(source),
    proof: source.isolation === 'sealed' ? sealProof(source.tenancy) : undefined,
    tenantSettings: tenantSettings(source),
    clientSettings,
  }
}

/** The same link with `settings` over the client's own: what a client set in its session. */
export function overlayLink(link: Link, settings: ReadonlyMap<string, string>): Link {
  if (settings.size === 0) return link
  const kept = link.clientSettings.filter(({ name }) => !settings.has(foldCase(name)))
  const clientSettings = [...kept, ...Array.from(settings, ([name, value]) => ({ name, value }))]
  return { ...link, key: linkKey(link.tenantKey, clientSettings), clientSettings }
}

function linkKey(tenantKey: string, clientSettings: readonly Setting[]): string {
  const sorted = [...clientSettings].sort((a, b) => (a.name < b.name ? -1 : 1))
  return `${tenantKey} ${JSON.stringify(sorted.map(({ name, value }) => [name, value]))}`
}

/**
 * The settings that a server connection of this tenancy is opened with, so that `RESET ALL` and
 * `DISCARD ALL` fall back to them: nobody's place where tenants share connections, the tenant's
 * own settings where they don't.
 */
export function restingSettings(source: Pick<LinkSource, 'tenancy' | 'settings'>): Setting[] {
  const { tenancy } = source
  if (tenancy.strategy === 'database') return [...source.settings]
  return [
    { name: 'search_path', value: 'pg_catalog' },
    { name: tenancy.setting, value: '' },
  ]
}

/**
 * The settings that a server connection is opened with when it serves one link alone, in session
 * mode: a client's RESET falls back to its own tenant and to its own startup settings.
 */
export function homeSettings(
  source: Pick<LinkSource, 'tenancy' | 'settings'>,
  link: Link,
): Setting[] {
  const all = [...restingSettings(source), ...link.tenantSettings, ...link.clientSettings]
  return Array.from(new Map(all.map((setting) => [foldCase(setting.name), setting])).values())
}

/**
 * Takes everything back that a session can leave behind. It stands inside the transaction of the
 * link that follows: `DISCARD ALL` can't, so its parts are spelled out.
 *
 * @see https://www.postgresql.org/docs/current/sql-discard.html
 */
const SESSION_RESET = [
  // First: a statement_timeout that was left must not hit what follows.
  'RESET ALL',
  'RESET SESSION AUTHORIZATION',
  'RESET ROLE',
  'CLOSE ALL',
  'UNLISTEN *',
  'DEALLOCATE ALL',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
]
const RELEASE_LOCKS = 'pg_catalog.pg_advisory_unlock_all()'

/** Where a server connection stands before it is moved. */
export interface LinkOrigin {
  /** `undefined` means the resting state. */
  readonly link: Link | undefined
  /** It may hold more than `link` says: it is reset first. */
  readonly isDirty: boolean
  /** Encoding of the database; `undefined` when the server did not say. */
  readonly serverEncoding: string | undefined
}

/** What moves a server connection from one link to another. */
export interface LinkMove {
  /** To be run in one transaction block, none of them ends it. */
  readonly statements: readonly string[]
  /** Nothing that was on the connection is left. */
  readonly isReset: boolean
  /** What the first statement asks the connection about; `undefined` when it asks nothing. */
  readonly verified: GuardedPlace | undefined
}

/** What moves a server connection to `wanted`; `undefined` when it is there already. */
export function linkMove(origin: LinkOrigin, wanted: Link): LinkMove | undefined {
  const { link: current, isDirty } = origin
  if (!isDirty && current?.key === wanted.key) return undefined
  if (!isDirty && current !== undefined && current.tenantKey === wanted.tenantKey) {
    return { statements: settingsStatements(current, wanted), isReset: false, verified: undefined }
  }
  const settings = [...wanted.tenantSettings, ...wanted.clientSettings].map(setConfig)
  if (isDirty || current !== undefined) return resetMove(origin, settings)
  if (settings.length === 0) return undefined
  return { statements: select(settings), isReset: false, verified: undefined }
}

/** What takes a server connection to its resting state, whatever was done to it. */
export function resetMove(origin: LinkOrigin, settings: readonly string[] = []): LinkMove {
  const verified = origin.link?.guard
  const asked = verified === undefined ? [] : [placeQuery(verified, origin.serverEncoding)]
  const statements = [...asked, ...SESSION_RESET, ...select([RELEASE_LOCKS, ...settings])]
  return { statements, isReset: true, verified }
}

/**
 * The simple query of a move. It opens an explicit transaction block, so that a failing statement
 * leaves a block that refuses every later statement: bytes that were written behind it never run on
 * a half-linked connection.
 */
export function blockQuery({ statements }: LinkMove): string {
  return ['BEGIN', ...statements, 'COMMIT'].join('; ')
}

/** The block of a move in which something else is to be done: what comes before that, and behind. */
export function openBlock({ statements }: LinkMove): readonly [before: string, behind: string] {
  // A COMMIT alone would end a failed block: the SELECT before it is refused there.
  return [['BEGIN', ...statements].join('; '), 'SELECT; COMMIT']
}

/** Time limits of a second or more; 0 is none. Without a unit they are in ms. */
const HARMLESS_LIMIT = /^(?:0|\d{4,}(?:ms)?|[1-9]\d*(?:s|min|h|d))$/

/** Whether settings of `current` could make the next link fail: a link takes some milliseconds. */
export function mayHinder(current: Link | undefined): boolean {
  if (current === undefined) return false
  return [...current.tenantSettings, ...current.clientSettings].some(
    ({ name, value }) =>
      foldCase(name).endsWith('_timeout') && !HARMLESS_LIMIT.test(value.replaceAll(' ', '')),
  )
}

/**
 * The simple query that puts what a client reset back to what its session began with, as RESET
 * does on a connection that was opened with those settings; `undefined` when the link has none of
 * them. Plain SETs: they need no snapshot, so they may stand at the head of a transaction.
 *
 * @param resets - Names in lower case, or `'all'` behind RESET ALL and DISCARD ALL.
 */
export function restoreQuery(link: Link, resets: readonly string[] | 'all'): string | undefined {
  const wanted = [...link.tenantSettings, ...link.clientSettings].filter(
    ({ name }) => resets === 'all' || resets.includes(foldCase(name)),
  )
  return wanted.length === 0 ? undefined : wanted.map(setStatement).join('; ')
}

/** From one client of a tenant to another: only the clients' own settings differ. */
function settingsStatements(current: Link, wanted: Link): string[] {
  const present = new Map(current.clientSettings.map(({ name, value }) => [foldCase(name), value]))
  const kept = namesOf(wanted.clientSettings)
  const dropped = current.clientSettings.filter(({ name }) => !kept.has(foldCase(name)))
  const lost = namesOf(dropped)
  const ofTenant = wanted.tenantSettings.filter(({ name }) => lost.has(foldCase(name)))
  const changed = wanted.clientSettings.filter(
    ({ name, value }) => present.get(foldCase(name)) !== value,
  )
  return [
    ...dropped.map(({ name }) => `RESET ${quoteSettingName(name)}`),
    ...select([...ofTenant, ...changed].map(setConfig)),
  ]
}

/** Postgres tells setting names apart without regard to case. */
function namesOf(settings: readonly Setting[]): ReadonlySet<string> {
  return new Set(settings.map(({ name }) => foldCase(name)))
}

function tenantSettings(source: LinkSource): Setting[] {
  const role = source.role === undefined ? [] : [{ name: 'role', value: source.role }]
  const { tenancy } = source
  switch (tenancy.strategy) {
    case 'database':
      // Its settings are what the connection rests in.
      return role
    case 'schema':
      return [searchPath(tenancy.searchPath), ...source.settings, ...role]
    case 'row':
      return [
        searchPath(tenancy.searchPath),
        ...(isSigned(source) ? [] : [{ name: tenancy.setting, value: tenancy.value }]),
        ...source.settings,
        ...role,
      ]
  }
}

/** Row policies of a sealed tenant ask for a token in place of the id. */
function isSigned({ tenancy, isolation }: Pick<LinkSource, 'tenancy' | 'isolation'>): boolean {
  return tenancy.strategy === 'row' && isolation === 'sealed'
}

function tokenPlace(source: LinkSource): TokenPlace | undefined {
  const { tenancy } = source
  if (tenancy.strategy !== 'row' || !isSigned(source)) return undefined
  return { setting: tenancy.setting, tenantId: tenancy.value }
}

function searchPath(schemas: readonly string[]): Setting {
  return { name: 'search_path', value: formatSearchPath(schemas) }
}

function setConfig({ name, value }: Setting): string {
  return `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`
}

/** Lists of names: as one literal, SET would take the whole list for one name. */
const NAME_LISTS: ReadonlySet<string> = new Set(['search_path', 'temp_tablespaces'])

function setStatement({ name, value }: Setting): string {
  if (foldCase(name) === 'role') return `SET ROLE ${quoteLiteral(value)}`
  const names = NAME_LISTS.has(foldCase(name)) ? parseSearchPath(value) : undefined
  const quoted = names?.length ? names.map(quoteLiteral).join(', ') : quoteLiteral(value)
  return `SET ${quoteSettingName(name)} TO ${quoted}`
}

function select(expressions: readonly string[]): string[] {
  return expressions.length === 0 ? [] : [`SELECT ${expressions.join(', ')}`]
}
