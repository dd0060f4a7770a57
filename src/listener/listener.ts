import { createServer, type Server, type Socket } from 'node:net'
import type { ConnectionGate } from '../limits/connection-gate.ts'
import { TooManyClientsError } from '../limits/limits-errors.ts'
import { endClient } from '../session/end-client.ts'
import { ListenError } from './listener-errors.ts'

/** Where clients are awaited. */
export interface ListenOptions {
  readonly host: string
  /** `0` takes any free port. */
  readonly port: number
  /** Connections that the kernel holds until they are accepted. */
  readonly backlog: number
}

/** What an accepted socket goes to; never rejects. */
export type AcceptClient = (socket: Socket) => Promise<void>

/** Accepts sockets, counts them, and refuses those over the limit. */
export class Listener {
  readonly #gate: ConnectionGate
  readonly #accept: AcceptClient
  readonly #server: Server

  constructor(gate: ConnectionGate, accept: AcceptClient) {
    this.#gate = gate
    this.#accept = accept
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#accepted(socket),
    )
  }

  /**
   * Begins to listen.
   *
   * @returns The port, which matters when any free one was asked for.
   * @throws ListenError - when the address can't be had.
   */
  listen(options: ListenOptions): Promise<number> {
    const { host, port, backlog } = options
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(new ListenError(host, port, error)))
      this.#server.listen({ host, port, backlog }, () => {
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  }

  /** Accepts nobody any more; those who are in stay. */
  stop(): void {
    this.#server.close()
  }

  #accepted(socket: Socket): void {
    if (!this.#gate.tryEnter()) {
      socket.on('error', () => socket.destroy())
      endClient(socket, new TooManyClientsError(this.#gate.count))
      return
    }
    socket.once('close', () => this.#gate.leave())
    void this.#accept(socket)
  }
}
