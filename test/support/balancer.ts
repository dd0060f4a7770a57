import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** How often each proxy is asked whether it is ready, in ms. */
const PROBE_MS = 25

/** A proxy behind the balancer. */
export interface Backend {
  readonly port: number
  readonly adminPort: number
}

/**
 * Leads each new connection to the next proxy whose `/readyz` says 200, and to another one where
 * that refuses it: what a Service of Kubernetes with its readiness probes does.
 */
export class Balancer {
  readonly port: number
  readonly #server: Server
  readonly #backends = new Map<Backend, boolean>()
  readonly #open = new Set<Socket>()
  #turn = 0

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (client: Socket) => void this.#lead(client))
  }

  static async start(): Promise<Balancer> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Balancer(server)
  }

  /** Begins to lead clients to a proxy, as soon as that is ready. */
  add(backend: Backend): void {
    this.#backends.set(backend, false)
    void this.#watch(backend)
  }

  remove(backend: Backend): void {
    this.#backends.delete(backend)
  }

  isReady(backend: Backend): boolean {
    return this.#backends.get(backend) === true
  }

  async stop(): Promise<void> {
    this.#backends.clear()
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #watch(backend: Backend): Promise<void> {
    while (this.#backends.has(backend)) {
      const isReady = await probe(backend)
      if (this.#backends.has(backend)) this.#backends.set(backend, isReady)
      await pause(PROBE_MS)
    }
  }

  async #lead(client: Socket): Promise<void> {
    this.#keep(client)
    const ready = [...this.#backends].filter(([, isReady]) => isReady).map(([backend]) => backend)
    this.#turn += 1
    for (const at of ready.keys()) {
      const backend = ready[(this.#turn + at) % ready.length]
      const server = backend && (await tryConnect(backend.port))
      if (server === undefined) continue
      this.#keep(server)
      join(client, server)
      return
    }
    client.destroy()
  }

  #keep(socket: Socket): void {
    this.#open.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#open.delete(socket))
  }
}

function join(client: Socket, server: Socket): void {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.pipe(to)
    from.on('close', () => to.destroySoon())
  }
}

/** @returns `undefined` where nobody listens. */
async function tryConnect(port: number): Promise<Socket | undefined> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  try {
    await once(socket, 'connect')
    return socket
  } catch {
    return undefined
  }
}

function probe({ adminPort }: Backend): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port: adminPort, path: '/readyz', agent: false }
    const asked = request(options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
