import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { startupMessage } from '../../src/wire/frontend-messages.ts'
import { MessageBuffer, type WireMessage } from '../../src/wire/message-buffer.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import type { PostgresServer } from './postgres.ts'

const MAX_BYTES = 0x0fff_ffff

/** A bare connection to a real Postgres: bytes out, messages in. The server has to trust us. */
export class RawPostgres {
  readonly socket: Socket
  readonly #messages = new MessageBuffer(MAX_BYTES)
  #wake: () => void = () => {}
  #isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#messages.push(chunk)
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  static async open(server: PostgresServer, database = 'postgres'): Promise<RawPostgres> {
    const socket = connect(server.port, server.host)
    socket.setNoDelay(true)
    await once(socket, 'connect')
    const raw = new RawPostgres(socket)
    const login = [
      ['user', server.superuser],
      ['database', database],
    ] as const
    socket.write(startupMessage(login))
    await raw.until(BackendCode.readyForQuery)
    return raw
  }

  write(...pieces: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(pieces))
  }

  async next(): Promise<WireMessage> {
    for (;;) {
      const message = this.#messages.next()
      if (message !== undefined) return { code: message.code, body: Buffer.from(message.body) }
      if (this.#isClosed) throw new Error('the server closed the connection')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Everything up to the next message of that type, it included. */
  async until(code: number): Promise<readonly WireMessage[]> {
    const seen: WireMessage[] = []
    for (;;) {
      const message = await this.next()
      seen.push(message)
      if (message.code === code) return seen
    }
  }
}
