import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../base/logger.ts'
import type { TenantLogLevels } from '../telemetry/log/tenant-log-levels.ts'
import { type AdminResponse, type Details, json, refusal } from './admin-response.ts'
import { isSameToken } from './admin-token.ts'
import { changeLogLevel, showLogLevels } from './log-level-routes.ts'

/** Longest time that an answer is held back for somebody who asked to wait, in ms. */
const WAIT_MS = 10_000

/** Whether something is as it should be, and the facts that say why. */
export interface Readiness {
  readonly isReady: boolean
  readonly details: Details
}

/** How far a drain is. */
export interface DrainProgress {
  readonly isOver: boolean
  readonly details: Details
}

/** What the endpoints answer from. */
export interface AdminSources {
  readonly metrics: {
    readonly contentType: string
    text(): Promise<string>
    /** `undefined`: nothing is counted of a tenant of that name. */
    tenantText(name: string): Promise<string | undefined>
  }
  /** What requests that change something have to bear; `undefined`: there are none. */
  token(): string | undefined
  /** Whether the start is over. */
  startup(): Readiness
  /** Whether the proxy should get clients. */
  readiness(): Readiness
  status(): Details
  /** Begins a drain, or joins the one that is under way; resolves when it is over. */
  drain(): Promise<unknown>
  drainProgress(): DrainProgress
  readonly tenantLevels: TenantLogLevels
  readonly logger: Logger
}

/** A request, as far as it is looked at. */
export interface AdminRequest {
  readonly method: string
  /** Path, and perhaps a query. */
  readonly target: string
  /** The Authorization header. */
  readonly authorization: string | undefined
}

/** What a request asks of an endpoint. */
interface Question {
  readonly method: string
  readonly query: string
  /** What stands in the place of `*` in the path; empty where there is none. */
  readonly name: string
}

interface Endpoint {
  readonly methods: readonly string[]
  readonly needsToken: boolean
  answer(sources: AdminSources, question: Question): AdminResponse | Promise<AdminResponse>
}

const LOOK = { methods: ['GET', 'HEAD'], needsToken: false }

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/metrics', { ...LOOK, answer: metrics }],
  ['/metrics/tenants/*', { ...LOOK, answer: tenantMetrics }],
  ['/livez', { ...LOOK, answer: () => json(200, { status: 'alive' }) }],
  ['/startupz', { ...LOOK, answer: startupz }],
  ['/readyz', { ...LOOK, answer: readyz }],
  ['/status', { ...LOOK, answer: (sources) => json(200, sources.status()) }],
  ['/log/tenants', { ...LOOK, answer: ({ tenantLevels }) => showLogLevels(tenantLevels) }],
  [
    '/log/tenants/*',
    {
      methods: ['PUT', 'DELETE'],
      needsToken: true,
      answer: ({ tenantLevels }, question) => changeLogLevel(tenantLevels, question),
    },
  ],
  ['/drain', { methods: ['POST'], needsToken: true, answer: drain }],
])

/** The answer to one request. Never rejects: a fault in a source is logged and becomes a 500. */
export async function answer(request: AdminRequest, sources: AdminSources): Promise<AdminResponse> {
  const { method, target } = request
  const [path = '', query = ''] = target.split('?', 2)
  const [, folder = '', name = ''] = /^(.*\/)([^/]*)$/.exec(path) ?? []
  const exact = ENDPOINTS.get(path)
  const endpoint = exact ?? ENDPOINTS.get(`${folder}*`)
  if (endpoint === undefined) {
    return refusal(404, 'not found', `There are ${[...ENDPOINTS.keys()].join(', ')}.`)
  }
  const refused = refusalOf(endpoint, request, sources.token())
  if (refused !== undefined) return refused
  try {
    return await endpoint.answer(sources, { method, query, name: exact === undefined ? name : '' })
  } catch (error) {
    sources.logger.error('admin request failed', { path, detail: String(error) })
    return refusal(500, 'internal error', 'The log of the proxy has the reason.')
  }
}

function refusalOf(
  { methods, needsToken }: Endpoint,
  { method, authorization }: AdminRequest,
  token: string | undefined,
): AdminResponse | undefined {
  if (!methods.includes(method)) {
    const headers = { Allow: methods.join(', ') }
    return { ...refusal(405, 'method not allowed', `Use ${methods.join(' or ')}.`), headers }
  }
  if (!needsToken) return undefined
  if (token === undefined) {
    return refusal(403, 'no token is configured', 'Set admin.token or admin.tokenFile.')
  }
  const [, given = ''] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (isSameToken(given, token)) return undefined
  const remedy =
    'Send "Authorization: Bearer" with admin.token, or with what admin.tokenFile holds.'
  const headers = { 'WWW-Authenticate': 'Bearer' }
  return { ...refusal(401, 'wrong or missing token', remedy), headers }
}

async function metrics({ metrics }: AdminSources): Promise<AdminResponse> {
  return { status: 200, contentType: metrics.contentType, body: await metrics.text() }
}

async function tenantMetrics(
  { metrics }: AdminSources,
  { name }: Question,
): Promise<AdminResponse> {
  const body = await metrics.tenantText(name)
  if (body !== undefined) return { status: 200, contentType: metrics.contentType, body }
  return refusal(
    404,
    'nothing is counted of this tenant',
    'It has not come since the proxy started, or it was forgotten.',
  )
}

function startupz({ startup }: AdminSources): AdminResponse {
  const { isReady, details } = startup()
  return isReady
    ? json(200, { status: 'started', ...details })
    : json(503, { status: 'starting', ...details })
}

function readyz({ readiness }: AdminSources): AdminResponse {
  const { isReady, details } = readiness()
  return isReady
    ? json(200, { status: 'ready', ...details })
    : json(503, { status: 'notReady', ...details })
}

/** `?wait` holds the answer back until the drain is over, for a while. */
async function drain(sources: AdminSources, { query }: Question): Promise<AdminResponse> {
  const over = sources.drain()
  if (query === 'wait') {
    const waiting = new AbortController()
    const late = pause(WAIT_MS, undefined, { signal: waiting.signal, ref: false })
    await Promise.race([over, late.catch(() => {})])
    waiting.abort()
  }
  const { isOver, details } = sources.drainProgress()
  return json(isOver ? 200 : 202, details)
}
