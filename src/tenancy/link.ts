import { foldCase } from '../sql/fold-case.ts'
import { quoteLiteral, quoteSettingName } from '../sql/quote.ts'
import { formatSearchPath } from '../sql/search-path.ts'
import type { Setting, Tenancy } from './tenancy.ts'

/** What has to be in force on a server connection while it acts for one client of one tenant. */
export interface Link {
  /** Tenant, version and all settings: equal keys mean the same state on the server. */
  readonly key: string
  /** Tenant and version alone: equal tenant keys differ at most in the client's own settings. */
  readonly tenantKey: string
  /** Put in force in this order: the tenant's place, its settings, its role. */
  readonly tenantSettings: readonly Setting[]
  /** The client's own settings, put in force last, with the rights of the role. */
  readonly clientSettings: readonly Setting[]
}

/** What a tenant's record says about linking. */
export interface LinkSource {
  readonly tenant: string
  readonly version: number
  readonly tenancy: Tenancy
  readonly settings: readonly Setting[]
  readonly role: string | undefined
}

/** The link of one client of a tenant. `clientSettings` must have been admitted. */
export function buildLink(source: LinkSource, clientSettings: readonly Setting[]): Link {
  const tenantKey = `${source.tenant}@${source.version}`
  const sorted = [...clientSettings].sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    key: `${tenantKey} ${JSON.stringify(sorted.map(({ name, value }) => [name, value]))}`,
    tenantKey,
    tenantSettings: tenantSettings(source),
    clientSettings,
  }
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
 * What a server connection may hold beyond its link: nothing; values of settings, roles among
 * them; or anything that a session can make.
 */
export type Dirt = 'none' | 'settings' | 'session'

/** Settings first: a `statement_timeout` that was left must not hit what follows. */
const SETTINGS_RESET = ['RESET ALL', 'RESET SESSION AUTHORIZATION', 'RESET ROLE']

/**
 * Takes everything back that a session can leave behind. It stands inside the transaction of the
 * link that follows: `DISCARD ALL` can't, so its parts are spelled out.
 *
 * @see https://www.postgresql.org/docs/current/sql-discard.html
 */
const SESSION_RESET = [
  ...SETTINGS_RESET,
  'CLOSE ALL',
  'UNLISTEN *',
  'DEALLOCATE ALL',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
]
const RELEASE_LOCKS = 'pg_catalog.pg_advisory_unlock_all()'

/**
 * The simple query that moves a server connection from `current` to `wanted`; `undefined` when it
 * is there already.
 *
 * It opens an explicit transaction block, so that a failing statement leaves a block that refuses
 * every later statement: bytes that were written behind it never run on a half-linked connection.
 *
 * @param current - `undefined` means the resting state.
 * @param dirt - What the connection may hold beyond `current`: it is reset first.
 */
export function linkQuery(current: Link | undefined, wanted: Link, dirt: Dirt): string | undefined {
  const isSameTenant = current?.tenantKey === wanted.tenantKey
  if (dirt === 'none' && current?.key === wanted.key) return undefined
  if (dirt === 'none' && current !== undefined && isSameTenant) {
    return settingsQuery(current, wanted)
  }
  const settings = [...wanted.tenantSettings, ...wanted.clientSettings].map(setConfig)
  if (dirt === 'none' && current === undefined) return blockUnlessEmpty(settings)
  if (dirt === 'settings' && isSameTenant) return block([...SETTINGS_RESET, ...select(settings)])
  return block([...SESSION_RESET, ...select([RELEASE_LOCKS, ...settings])])
}

/** The simple query that takes a server connection to its resting state, whatever was done to it. */
export function resetQuery(): string {
  return block([...SESSION_RESET, ...select([RELEASE_LOCKS])])
}

/**
 * The simple query that puts a link in force again after the client took it back itself, leaving
 * the rest of its session as it is; `undefined` when nothing was lost by that.
 *
 * @param isWhole - `DISCARD ALL` took everything back. Else some setting was: only the tenant's
 * place is looked after, as any other value may be what the client wants.
 */
export function restoreQuery(
  link: Link,
  tenancy: LinkSource['tenancy'],
  isWhole: boolean,
): string | undefined {
  if (isWhole) {
    return blockUnlessEmpty([...link.tenantSettings, ...link.clientSettings].map(setConfig))
  }
  const lost = restingSettings({ tenancy, settings: [] }).flatMap((resting) => {
    const wanted = link.tenantSettings.find(({ name }) => name === resting.name)
    return wanted === undefined ? [] : [setConfigIfResting(wanted, resting)]
  })
  return blockUnlessEmpty(lost)
}

/** From one client of a tenant to another: only the clients' own settings differ. */
function settingsQuery(current: Link, wanted: Link): string {
  const kept = namesOf(wanted.clientSettings)
  const dropped = current.clientSettings.filter(({ name }) => !kept.has(foldCase(name)))
  const lost = namesOf(dropped)
  const ofTenant = wanted.tenantSettings.filter(({ name }) => lost.has(foldCase(name)))
  const settings = [...ofTenant, ...wanted.clientSettings].map(setConfig)
  return block([
    ...dropped.map(({ name }) => `RESET ${quoteSettingName(name)}`),
    ...select(settings),
  ])
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
        { name: tenancy.setting, value: tenancy.value },
        ...source.settings,
        ...role,
      ]
  }
}

function searchPath(schemas: readonly string[]): Setting {
  return { name: 'search_path', value: formatSearchPath(schemas) }
}

function setConfig({ name, value }: Setting): string {
  return `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`
}

function setConfigIfResting(wanted: Setting, resting: Setting): string {
  const present = `pg_catalog.current_setting(${quoteLiteral(resting.name)})`
  const isResting = `${present} OPERATOR(pg_catalog.=) ${quoteLiteral(resting.value)}`
  return `CASE WHEN ${isResting} THEN ${setConfig(wanted)} END`
}

function select(expressions: readonly string[]): string[] {
  return expressions.length === 0 ? [] : [`SELECT ${expressions.join(', ')}`]
}

function blockUnlessEmpty(expressions: readonly string[]): string | undefined {
  return expressions.length === 0 ? undefined : block(select(expressions))
}

function block(statements: readonly string[]): string {
  return ['BEGIN', ...statements, 'COMMIT'].join('; ')
}
