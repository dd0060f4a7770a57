import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '../base/logger.ts'
import { isSameToken } from './admin-token.ts'

/** Longest time that an answer is held back for somebody who asked to wait, in ms. */
const WAIT_MS = 10_000

/** Facts for people and programs; never a secret. */
export type Details = { readonly [name: string]: string | number | boolean | undefined | Details }

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
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
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

/** An answer, before it is put on the wire. */
export interface AdminResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Endpoint {
  /** `change` asks for POST and the token. */
  readonly kind: 'look' | 'change'
  answer(sources: AdminSources, query: string): AdminResponse | Promise<AdminResponse>
}

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/metrics', { kind: 'look', answer: metrics }],
  ['/livez', { kind: 'look', answer: () => json(200, { status: 'alive' }) }],
  ['/startupz', { kind: 'look', answer: startupz }],
  ['/readyz', { kind: 'look', answer: readyz }],
  ['/status', { kind: 'look', answer: (sources) => json(200, sources.status()) }],
  ['/drain', { kind: 'change', answer: drain }],
])

/** The answer to one request. Never rejects: a fault in a source is logged and becomes a 500. */
export async function answer(request: AdminRequest, sources: AdminSources): Promise<AdminResponse> {
  const [path = '', query = ''] = request.target.split('?', 2)
  const endpoint = ENDPOINTS.get(path)
  if (endpoint === undefined) {
    return refusal(404, 'not found', `There are ${[...ENDPOINTS.keys()].join(', ')}.`)
  }
  const refused = refusalOf(endpoint, request, sources.token())
  if (refused !== undefined) return refused
  try {
    return await endpoint.answer(sources, query)
  } catch (error) {
    sources.logger.error('admin request failed', { path, detail: String(error) })
    return refusal(500, 'internal error', 'The log of the proxy has the reason.')
  }
}

function refusalOf(
  { kind }: Endpoint,
  { method, authorization }: AdminRequest,
  token: string | undefined,
): AdminResponse | undefined {
  const allowed = kind === 'change' ? ['POST'] : ['GET', 'HEAD']
  if (!allowed.includes(method)) {
    const headers = { Allow: allowed.join(', ') }
    return { ...refusal(405, 'method not allowed', `Use ${allowed.join(' or ')}.`), headers }
  }
  if (kind === 'look') return undefined
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
async function drain(sources: AdminSources, query: string): Promise<AdminResponse> {
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

function refusal(status: number, error: string, remedy: string): AdminResponse {
  return json(status, { error, remedy })
}

function json(status: number, details: Details): AdminResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(details)}\n` }
}
