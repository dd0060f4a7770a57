import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ConnectionGate } from '../limits/connection-gate.ts'
import { TooManyClientsError } from '../limits/limits-errors.ts'
import { endClient } from '../session/end-client.ts'
import type { Entrance } from '../session/login/accept-client.ts'
import { ListenError } from './listener-errors.ts'
import { listenOnSocket } from './unix-socket.ts'

/** Where clients are awaited. */
export interface ListenOptions {
  readonly host: string
  /** `0` takes any free port. */
  readonly port: number
  /** Connections that the kernel holds until they are accepted. */
  readonly backlog: number
  /** Where a unix socket for the port is made as well; `undefined` for none. */
  readonly socketDir?: string | undefined
  /** Who may use the unix socket: a file mode in octal. */
  readonly socketMode: string
}

/** How many may come in. */
export interface Gates {
  readonly gate: ConnectionGate
  /** For those over the limit, who may still cancel a query: nobody else could make room. */
  readonly cancelGate: ConnectionGate
}

/** What an accepted socket goes to; never rejects. */
export type AcceptClient = (socket: Socket, entrance: Entrance) => Promise<void>

/** Accepts sockets, counts them, and refuses those over the limit. */
export class Listener {
  readonly #gates: Gates
  readonly #accept: AcceptClient
  readonly #tcp: Server
  readonly #unix: Server

  constructor(gates: Gates, accept: AcceptClient) {
    this.#gates = gates
    this.#accept = accept
    const paused = { noDelay: true, pauseOnConnect: true }
    this.#tcp = createServer(paused, (socket) => this.#accepted(socket, false))
    this.#unix = createServer(paused, (socket) => this.#accepted(socket, true))
  }

  /**
   * Begins to listen.
   *
   * @returns The port, which matters when any free one was asked for.
   * @throws ListenError - when an address can't be had.
   */
  async listen(options: ListenOptions): Promise<number> {
    const port = await this.#listenOnPort(options)
    const { socketDir, socketMode, backlog } = options
    if (socketDir === undefined) return port
    const path = join(socketDir, `.s.PGSQL.${port}`)
    try {
      await listenOnSocket(this.#unix, { path, mode: Number.parseInt(socketMode, 8), backlog })
      return port
    } catch (error) {
      void this.stop()
      throw error
    }
  }

  /**
   * Accepts nobody any more; those who are in stay. A unix socket is removed.
   *
   * @returns when the last connection of those who are in has ended.
   */
  async stop(): Promise<void> {
    await Promise.all([closed(this.#tcp), closed(this.#unix)])
  }

  #listenOnPort({ host, port, backlog }: ListenOptions): Promise<number> {
    const server = this.#tcp
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new ListenError(`${host}:${port}`, error)))
      server.listen({ host, port, backlog }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  }

  #accepted(socket: Socket, isUnix: boolean): void {
    const { gate, cancelGate } = this.#gates
    const isFull = !gate.tryEnter()
    const refusal = isFull ? new TooManyClientsError(gate.count) : undefined
    if (refusal !== undefined && !cancelGate.tryEnter()) {
      socket.on('error', () => socket.destroy())
      endClient(socket, refusal)
      return
    }
    const entered = isFull ? cancelGate : gate
    const leave = leaveAtEnd(socket, entered)
    void this.#accept(socket, { isUnix, refusal, leave })
  }
}

/** Stops a server; one that never listened, or was stopped before, counts as well. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** A client that has been told its end takes nobody's place, even if it lingers. */
function leaveAtEnd(socket: Socket, entered: ConnectionGate): () => void {
  let isInside = true
  const leave = () => {
    if (isInside) entered.leave()
    isInside = false
  }
  socket.once('finish', leave)
  socket.once('close', leave)
  return leave
}
