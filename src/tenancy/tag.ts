import { foldCase } from '../sql/fold-case.ts'
import { parseStartupOptions } from '../wire/startup-options.ts'
import { NO_DATABASE, parseReplication, type Replication } from './replication.ts'
import {
  matchTagPattern,
  parseTagPattern,
  type TagParts,
  type TagPlaceholder,
} from './tag-pattern.ts'
import type { Setting } from './tenancy.ts'
import {
  MalformedTenantNameError,
  NoTagError,
  NoUserError,
  type Tag,
  TagNotAcceptedError,
  TagsDisagreeError,
} from './tenancy-errors.ts'
import { parseTenantName, type TenantName } from './tenant-name.ts'

/** Where tags are looked for. Patterns are those of `parseTagPattern`; `false` switches off. */
export interface TagOptions {
  /** `tenant` or `pgusher.tenant`, as a startup parameter or inside `options`. */
  readonly parameter: boolean
  /** Such as `{user}.{tenant}`. A user of another form is a plain login. */
  readonly user: string | false
  /** Such as `{tenant}` or `{database}@{tenant}`. */
  readonly database: string | false
  /** Such as `{tenant}.db.example.com`, in lower case: the server name that TLS was started for. */
  readonly sni: string | false
  /** Such as `{tenant}.clients.example.com`, in lower case: a name in the client's certificate. */
  readonly certificate: string | false
  /** The tenant of a client that names none. */
  readonly defaultTenant: TenantName | undefined
}

/** The names that came with a connection's TLS. Without TLS there are none. */
export interface TlsNames {
  readonly serverName: string | undefined
  /** Of a certificate that was verified. */
  readonly certificateNames: readonly string[]
}

/** Who a client says it is, and which tenant it means. Nothing of it is proven. */
export interface Claim {
  readonly login: string
  readonly tenant: TenantName
  /** Without the tag; `undefined` when none was asked for, or only the user's name again. */
  readonly database: string | undefined
  readonly replication: Replication
  /** The client's own settings, names in lower case, each name once. */
  readonly settings: readonly Setting[]
  /** Where the tenant was named, for the log; `default` when nowhere. */
  readonly sources: readonly string[]
}

/** A setting and how it came, for messages. */
interface Carried extends Setting {
  readonly by: string
}

/** What `Claim.sources` says of a tag in the client's certificate. */
export const CERTIFICATE_SOURCE = 'client certificate'

const TAG_NAMES: ReadonlySet<string> = new Set(['tenant', 'pgusher.tenant'])
/** Parameters that are not settings. Spelled otherwise (`User`), they are, as in Postgres. */
const PACKET_NAMES: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication'])

/**
 * Reads a startup packet: splits it into login, tenant, database and settings, and strips the tag
 * from all of them. The names of its TLS are heard as well.
 *
 * @throws NoUserError - when no login is named.
 * @throws SettingRefusedError - when `replication` is no mode of replication.
 * @throws UnsupportedOptionError - when `options` holds something other than settings.
 * @throws TagNotAcceptedError - for a tag in a parameter, where `options.parameter` is off: to
 * ignore it would put the client elsewhere than it believes.
 * @throws MalformedTenantNameError - when a tag is no tenant name.
 * @throws TagsDisagreeError - when two sources name different tenants.
 * @throws NoTagError - when no source names a tenant and there is no default.
 */
export function readClaim(
  parameters: ReadonlyMap<string, string>,
  options: TagOptions,
  tlsNames: TlsNames,
): Claim {
  const user = parameters.get('user') ?? ''
  if (user === '') throw new NoUserError()
  const replication = parseReplication(parameters.get('replication'))
  const carried = carriedSettings(parameters)
  const tags = [...parameterTags(carried, options.parameter), ...tlsTags(tlsNames, options)]
  const userParts = match(options.user, 'user', user)
  if (userParts !== undefined) tags.push({ source: 'user', text: userParts.tenant })
  const login = userParts === undefined ? user : userParts.rest
  if (login === '') throw new NoUserError()
  const database = databaseOf(parameters, replication)
  const databaseParts = match(options.database, 'database', database)
  // A database of the user's name is what libpq sends for none: it speaks only if nothing else does.
  if (databaseParts !== undefined && (database !== user || tags.length === 0)) {
    tags.push({ source: 'database', text: databaseParts.tenant })
  }
  return {
    login,
    tenant: agreedTenant(tags, options),
    database: untagged(database, databaseParts, user),
    replication,
    settings: lastOfEach(carried),
    sources: tags.length === 0 ? ['default'] : tags.map((tag) => tag.source),
  }
}

function databaseOf(parameters: ReadonlyMap<string, string>, replication: Replication): string {
  const database = parameters.get('database') ?? ''
  return replication === 'physical' && database === NO_DATABASE ? '' : database
}

/** `options` first: Postgres puts it in force first, so that parameters of their own win. */
function carriedSettings(parameters: ReadonlyMap<string, string>): readonly Carried[] {
  const carried: Carried[] = []
  for (const { name, value } of parseStartupOptions(parameters.get('options') ?? '')) {
    carried.push({ name: foldCase(name), value, by: 'options' })
  }
  for (const [name, value] of parameters) {
    if (PACKET_NAMES.has(name) || name.startsWith('_pq_.')) continue
    carried.push({ name: foldCase(name), value, by: 'startup parameter' })
  }
  return carried
}

function parameterTags(carried: readonly Carried[], isAccepted: boolean): Tag[] {
  const tags = carried
    .filter(({ name }) => TAG_NAMES.has(name))
    .map(({ name, value, by }) => ({ source: `${by} ${name}`, text: value }))
  const [first] = tags
  if (first !== undefined && !isAccepted) throw new TagNotAcceptedError(first)
  return tags
}

function tlsTags({ serverName = '', certificateNames }: TlsNames, options: TagOptions): Tag[] {
  const tags: Tag[] = []
  const parts = match(options.sni, 'none', serverName)
  if (parts !== undefined) tags.push({ source: 'TLS server name', text: parts.tenant })
  for (const name of certificateNames) {
    const certified = match(options.certificate, 'none', name.toLowerCase())
    if (certified !== undefined) {
      tags.push({ source: CERTIFICATE_SOURCE, text: certified.tenant })
    }
  }
  return tags
}

function match(
  pattern: string | false,
  placeholder: TagPlaceholder,
  name: string,
): TagParts | undefined {
  if (pattern === false || name === '') return undefined
  const parsed = parseTagPattern(pattern, placeholder)
  if (parsed === undefined) throw new Error(`malformed ${placeholder} pattern ${pattern}`)
  return matchTagPattern(parsed, name)
}

function agreedTenant(tags: readonly Tag[], options: TagOptions): TenantName {
  let agreed: { readonly tenant: TenantName; readonly tag: Tag } | undefined
  for (const tag of tags) {
    const tenant = parseTenantName(tag.text)
    if (tenant === undefined) throw new MalformedTenantNameError(tag)
    agreed ??= { tenant, tag }
    if (agreed.tenant !== tenant) {
      throw new TagsDisagreeError([agreed.tag, tag], disagreementHint([agreed.tag, tag], options))
    }
  }
  const tenant = agreed?.tenant ?? options.defaultTenant
  if (tenant === undefined) throw new NoTagError(waysToName(options))
  return tenant
}

/** Who has a login such as `john.doe` can't know that it is read as a tag. */
function disagreementHint(tags: readonly Tag[], options: TagOptions): string {
  const remedy = 'Name the tenant once, or the same one everywhere.'
  if (options.user === false || tags.every((tag) => tag.source !== 'user')) return remedy
  const example = options.user.replace('{user}', 'john.doe').replace('{tenant}', 'acme')
  return `The user is read as "${options.user}"; a login that looks so itself is written with its tenant, as in user=${example}. ${remedy}`
}

function waysToName(options: TagOptions): readonly string[] {
  const ways: string[] = []
  if (options.user !== false) ways.push(`user=${fill(options.user)}`)
  if (options.parameter) ways.push("options='-c pgusher.tenant=acme'")
  if (options.database !== false) ways.push(`dbname=${fill(options.database)}`)
  if (options.sni !== false) ways.push(`host=${fill(options.sni)}`)
  return ways
}

function fill(pattern: string): string {
  return pattern.replace('{tenant}', 'acme').replace('{user}', 'app').replace('{database}', 'saas')
}

function untagged(database: string, parts: TagParts | undefined, user: string): string | undefined {
  const name = database === user ? '' : (parts?.rest ?? database)
  return name === '' ? undefined : name
}

function lastOfEach(carried: readonly Carried[]): readonly Setting[] {
  const settings = new Map<string, Setting>()
  for (const { name, value } of carried) {
    if (TAG_NAMES.has(name)) continue
    settings.delete(name)
    settings.set(name, { name, value })
  }
  return [...settings.values()]
}
