import { routeOfSession } from '../../auth/client-proof.ts'
import type { ProxyError } from '../../base/proxy-error.ts'
import type { CatalogLayer } from '../../catalog/catalog-observer.ts'
import type { Finding } from '../../catalog/layers/layered-catalog.ts'
import type { AuthMethod, SecretSource } from '../../catalog/login.ts'
import type { PoolPolicy, Route, ServerTarget, SessionTimeouts } from '../../catalog/route.ts'
import { poolName } from '../../pool/pools.ts'
import {
  blockQuery,
  buildLink,
  homeSettings,
  type Link,
  linkMove,
  restingSettings,
} from '../../tenancy/link.ts'
import type { Claim } from '../../tenancy/tag.ts'
import type { Setting } from '../../tenancy/tenancy.ts'
import type { Conninfo } from './conninfo.ts'
import { levelText } from './level-lines.ts'

/** A label and what stands behind it. */
export type Line = readonly [label: string, text: string]

/** A session as far as it is known before the client has proved who it is. */
export interface KnownSession {
  readonly route: Route
  readonly secret: SecretSource
  readonly isSuspended: boolean
  readonly method: AuthMethod
  /** The client's own, admitted. */
  readonly settings: readonly Setting[]
}

/** Wide enough for the longest label. */
const LABEL_CHARACTERS = 16
/** A catalog's words are shown, never obeyed by the terminal. */
const CONTROL = /\p{Cc}/gu

/** The lines as a page of text. */
export function pageOf(lines: readonly Line[]): string {
  return lines
    .map(([label, text]) => `${label.padEnd(LABEL_CHARACTERS)}${text.replace(CONTROL, '?')}\n`)
    .join('')
}

/** What the client would say. */
export function connectionLines({ parameters, strangers }: Conninfo): Line[] {
  const sent = Array.from(parameters, ([name, value]) => `${name}=${value}`)
  const remark = (name: string): Line => [
    'note',
    `libpq refuses the keyword "${name}"; drivers that send it make it a startup parameter`,
  ]
  return [['startup', sent.join(', ')], ...strangers.map(remark)]
}

/** Whom it claims to be, and the tenant that it means. */
export function claimLines({ tenant, login, sources, database, replication }: Claim): Line[] {
  const [used = '', ...others] = sources
  const agreeing = others.length === 0 ? '' : `; ${others.join(', ')} agreeing`
  const lines: Line[] = [
    ['tenant', tenant],
    ['named by', `${used}${agreeing}`],
    ['login', login],
  ]
  if (database !== undefined) lines.push(['database asked', `${database} (the tenant's is used)`])
  if (replication !== 'none') lines.push(['asks for', `${replication} replication`])
  return lines
}

/** What one layer of the catalog said to each question. */
export function askedLine(layer: CatalogLayer, answers: readonly string[]): Line {
  return ['asked', `${layer}: ${answers.join(', ')}`]
}

/** Which layer of the catalog knew a name, and how well. */
export function findingLine(finding: Finding): Line {
  const { kind, name, layer, result, isStale, ageMs, version } = finding
  const what = `${kind} ${name}: ${result} in ${layer}`
  if (layer === 'file') return ['catalog', what]
  const age = `read ${Math.round(ageMs)} ms ago, as of version ${version}`
  return [
    'catalog',
    isStale ? `${what}, ${age}; stale: its source does not answer` : `${what}, ${age}`,
  ]
}

/** Where a session goes, and how. */
export function routeLines(session: KnownSession): Line[] {
  const route = routeOfSession(session.route, { kind: 'none' })
  const { tenancy, target, pool, maxClients, replication } = route
  const link = buildLink(route, session.settings)
  return [
    ['status', session.isSuspended ? 'suspended' : 'active'],
    ['proof', proofOf(session)],
    ['strategy', tenancy.strategy],
    ['level', levelText(route.isolation)],
    ['server', placeOf(target)],
    [
      'server user',
      route.serverUser === 'client' ? `${target.user}, the client's own` : target.user,
    ],
    ['tls', target.tls?.mode ?? 'disable'],
    ...linkLines(route, link),
    ...poolLines(route, pool),
    ['clients', `at most ${boundOf(maxClients)}`],
    ['replication', `${replication.allowed}, at most ${boundOf(replication.maxSessions)}`],
    ['timeouts', timeoutsOf(route.timeouts)],
  ]
}

/** Why a session would be refused, for the operator and in the words for the client. */
export function refusalLines({ code, sqlState, message, clientMessage, hint }: ProxyError): Line[] {
  const lines: Line[] = [
    ['admitted', `no: ${code}, SQLSTATE ${sqlState}`],
    ['why', message],
  ]
  if (clientMessage !== message) lines.push(['client is told', clientMessage])
  if (hint !== undefined) lines.push(['hint', hint])
  return lines
}

/** In session mode the connection is opened for the session, linked. */
function linkLines(route: Route, link: Link): Line[] {
  const isHome = route.pool.mode === 'session'
  const opening = isHome ? homeSettings(route, link) : restingSettings(route)
  const resting = { link: undefined, isDirty: false, serverEncoding: undefined }
  const move = isHome ? undefined : linkMove(resting, link)
  const lines: Line[] = [
    ['opened with', settingsText(opening)],
    ['link', move === undefined ? 'nothing to set' : blockQuery(move)],
  ]
  if (link.token !== undefined) lines.push(['token', `signed, in ${link.token.setting}`])
  return lines
}

function poolLines(route: Route, { mode, size, pins, carriedSettings }: PoolPolicy): Line[] {
  const isShared = route.tenancy.strategy !== 'database' && !route.hasOwnLogin
  return [
    ['pool', poolName(route)],
    ['pool shared', isShared ? 'by what is opened alike on that server as that user' : 'by nobody'],
    ['pool mode', mode],
    ['pool size', String(size)],
    ['server budget', budgetOf(route)],
    ['pins', pins],
    ['carried', carriedSettings.join(', ') || 'nothing more'],
  ]
}

function proofOf({ method, secret, route }: KnownSession): string {
  if (secret.kind !== 'authQuery') return `${method}, against a secret of kind ${secret.kind}`
  const asked = route.authQuery === undefined ? 'nobody' : placeOf(route.authQuery.target)
  return `${method}, against what ${asked} says`
}

function placeOf({ host, port, database }: ServerTarget): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}

function settingsText(settings: readonly Setting[]): string {
  const texts = settings.map(({ name, value }) => `${name}='${value}'`)
  return texts.length === 0 ? 'nothing' : texts.join(', ')
}

function timeoutsOf(timeouts: SessionTimeouts): string {
  const { waitMs, idleClientMs, idleInTransactionMs, queryMs } = timeouts
  const text = (ms: number) => (ms === 0 ? 'none' : `${ms} ms`)
  return [
    `wait ${text(waitMs)}`,
    `idle client ${text(idleClientMs)}`,
    `idle in transaction ${text(idleInTransactionMs)}`,
    `query ${text(queryMs)}`,
  ].join(', ')
}

function budgetOf({ serverBudget }: Route): string {
  if (serverBudget === undefined) return 'none'
  return `${serverBudget.maxConnections} connections over all pools of that host and port`
}

/** `0` is no bound. */
function boundOf(count: number): string {
  return count === 0 ? 'any number' : String(count)
}
