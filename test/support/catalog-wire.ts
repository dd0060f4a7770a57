import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What becomes of what goes over a wire. */
export type WireFault =
  | 'none'
  /** The far end's words are replaced by bytes that mean nothing. */
  | 'garbage'
  /** Nothing comes back. */
  | 'silent'
  /** Everybody is hung up on. */
  | 'cut'

const GARBAGE = Buffer.from('\x00\xff$9\r\nnonsense*7\r\n:x\r\n+OK\r\n\x17\x03\x03')

/** Stands before a server and spoils what it says. */
export class FaultyWire {
  fault: WireFault = 'none'
  /** How much later than they were said words arrive, in ms. */
  delayMs = 0
  readonly port: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async to(farPort: number): Promise<FaultyWire> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const wire = new FaultyWire(server, address.port)
    server.on('connection', (near) => wire.#join(near, connect(farPort, '127.0.0.1')))
    return wire
  }

  /** Ends the connections that are there; new ones are taken as `fault` says. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.cutAll()
    await once(this.#server, 'close')
  }

  #join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    if (this.fault === 'cut') near.destroy()
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk) => this.#answer(near, chunk))
  }

  #answer(near: Socket, chunk: Buffer): void {
    switch (this.fault) {
      case 'none':
        if (this.delayMs === 0) near.write(chunk)
        else setTimeout(() => near.write(chunk), this.delayMs)
        return
      case 'garbage':
        near.write(GARBAGE)
        return
      case 'cut':
        near.destroy()
        return
      default:
        return
    }
  }
}
