import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AdminListenError } from './admin-errors.ts'
import type { AdminResponse } from './admin-response.ts'
import { type AdminSources, answer } from './admin-routes.ts'

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
 * Serves metrics, probes and what operators may change over plain HTTP. Looking takes no password,
 * changing takes the token.
 *
 * @throws AdminListenError - when the address can't be had.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, logger } = options
  const server = createServer(LIMITS, async (request, response) => {
    const { method = '', url: target = '', headers } = request
    const reply = await answer({ method, target, authorization: headers.authorization }, options)
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

function send(response: ServerResponse, reply: AdminResponse): void {
  const { status, contentType, body, headers = {} } = reply
  response.statusCode = status
  response.setHeader('Content-Type', contentType)
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
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
