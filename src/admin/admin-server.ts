import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../base/logger.ts'
import { AdminListenError } from './admin-errors.ts'

/** Connections held at once. Probes and scrapers need a handful; more are dropped. */
const MAX_CONNECTIONS = 64

/** How long a running request may go on after `close`, in ms. */
const CLOSE_GRACE_MS = 1000

/** Bounds of what a peer can make the server hold. Nothing here is for operators to tune. */
const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 2500,
} as const

/** Longest silence on a connection, in ms: ends one whose peer doesn't take its answer. */
const SOCKET_TIMEOUT_MS = 30_000

/** Whether the proxy should get clients, and the facts that say why. */
export interface Readiness {
  readonly isReady: boolean
  readonly details: Readonly<Record<string, string | number | boolean>>
}

/** What the endpoints answer from. */
export interface AdminSources {
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  readiness(): Readiness
  readonly logger: Logger
}

/** Where to listen and what to answer from. */
export interface AdminServerOptions extends AdminSources {
  readonly host: string
  /** `0` takes any free port. */
  readonly port: number
}

/** The HTTP port for metrics and probes. */
export interface AdminServer {
  readonly host: string
  readonly port: number
  /** Accepts nobody any more and ends every connection, running requests after a grace. */
  close(): Promise<void>
}

/**
 * Serves `/metrics`, `/livez` and `/readyz` over plain HTTP, without a password.
 *
 * @throws AdminListenError - when the address can't be had.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, logger } = options
  const server = createServer(LIMITS, async (request, response) => {
    const reply = await answer(request.method ?? '', request.url ?? '', options)
    // A body is never read, so what follows it can't be found; and none may outlive close().
    if (hasBody(request) || !server.listening) response.setHeader('Connection', 'close')
    send(response, reply)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = SOCKET_TIMEOUT_MS
  const port = await listen(server, host, options.port)
  server.on('error', (error) => logger.warn('admin port failed', { detail: String(error) }))
  let closed: Promise<void> | undefined
  return {
    host,
    port,
    close() {
      closed ??= close(server)
      return closed
    },
  }
}

function send(response: ServerResponse, { status, contentType, body, allow }: AdminResponse): void {
  response.statusCode = status
  response.setHeader('Content-Type', contentType)
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  if (allow !== undefined) response.setHeader('Allow', allow)
  response.end(body)
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return headers['transfer-encoding'] !== undefined || length !== '0'
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(new AdminListenError(host, port, error))
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    server.close(() => {
      clearTimeout(grace)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** An answer, before it is put on the wire. */
interface AdminResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Value of the Allow header. */
  readonly allow?: string
}

type Endpoint = (sources: AdminSources) => AdminResponse | Promise<AdminResponse>

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/metrics', metrics],
  ['/livez', () => json(200, { status: 'alive' })],
  ['/readyz', readyz],
])

/** The answer to one request. Never rejects: a fault in a source is logged and becomes a 500. */
async function answer(
  method: string,
  target: string,
  sources: AdminSources,
): Promise<AdminResponse> {
  const [path = ''] = target.split('?', 1)
  const endpoint = ENDPOINTS.get(path)
  if (endpoint === undefined) return json(404, { error: 'not found' })
  if (method !== 'GET' && method !== 'HEAD') {
    return { ...json(405, { error: 'method not allowed' }), allow: 'GET, HEAD' }
  }
  try {
    return await endpoint(sources)
  } catch (error) {
    sources.logger.error('admin request failed', { path, detail: String(error) })
    return json(500, { error: 'internal error' })
  }
}

async function metrics({ metrics }: AdminSources): Promise<AdminResponse> {
  return { status: 200, contentType: metrics.contentType, body: await metrics.text() }
}

function readyz({ readiness }: AdminSources): AdminResponse {
  const { isReady, details } = readiness()
  return isReady
    ? json(200, { status: 'ready', ...details })
    : json(503, { status: 'notReady', ...details })
}

function json(status: number, fields: Readiness['details']): AdminResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(fields)}\n` }
}
