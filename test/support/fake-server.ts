import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { OpenedServer } from '../../src/server/open/login.ts'
import { ReportedSets } from '../../src/server/reported-sets.ts'
import { ServerConnection } from '../../src/server/server-connection.ts'
import type { ServerConnectionOptions } from '../../src/server/server-connection-options.ts'
import { readyForQuery } from '../../src/wire/backend-messages.ts'
import { cString, int32, message } from '../../src/wire/byte-writer.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'

/**
 * The server's end of a connection without a network: what a test says is heard before `say`
 * returns.
 */
export class FakeServer extends EventEmitter {
  readonly written: Buffer[] = []
  isDestroyed = false
  isPaused = false
  /** It hangs up when a test says so, not as soon as the proxy does. */
  lingers = false
  /** The proxy has hung up. */
  isEnded = false
  /** What `write` answers. */
  isWelcome = true
  bytesRead = 0
  bytesWritten = 0
  #corked = 0

  /** As the proxy's code sees it. */
  get socket(): Socket {
    return this as unknown as Socket
  }

  /** What an opener would hand over. */
  opened(rest: Buffer = Buffer.alloc(0)): OpenedServer {
    return {
      socket: this.socket,
      isEncrypted: false,
      rest,
      processId: 7,
      secretKey: Buffer.alloc(4),
      parameters: new Map([['server_version', '18.4']]),
      notices: { early: [], late: [] },
    }
  }

  connection(options: Partial<ServerConnectionOptions> = {}): ServerConnection {
    return new ServerConnection(this.opened(), {
      address: { host: 'db', port: 5432 },
      maxPreparedStatements: 10,
      maxPreparedBytes: 1_000_000,
      home: undefined,
      signer: () => undefined,
      violated() {},
      handedOver() {},
      reportedSets: new ReportedSets(),
      expiresAtMs: Number.POSITIVE_INFINITY,
      ...options,
    })
  }

  /** All that was written since the last call. */
  takeWritten(): Buffer {
    return Buffer.concat(this.written.splice(0))
  }

  say(...bytes: readonly Buffer[]): void {
    for (const chunk of bytes) if (!this.isDestroyed) this.emit('data', chunk)
  }

  /** Says something once what was written is taken. */
  answer(bytes: Buffer): void {
    this.takeWritten()
    this.say(bytes)
  }

  hangUp(): void {
    this.destroy()
  }

  write(bytes: Buffer): boolean {
    if (this.isDestroyed) throw new Error('written to after its end')
    this.written.push(bytes)
    return this.isWelcome
  }

  cork(): void {
    this.#corked += 1
  }

  uncork(): void {
    this.#corked -= 1
    if (this.#corked < 0) throw new Error('uncorked too often')
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.emit('close')
  }

  setTimeout(): void {}

  unref(): void {}

  end(): void {
    this.isEnded = true
    if (!this.lingers) this.destroy()
  }

  destroySoon(): void {
    this.destroy()
  }
}

export function commandComplete(tag: string): Buffer {
  return message(BackendCode.commandComplete, cString(tag))
}

/** The replies to a link that worked. */
export function linkReplies(): Buffer {
  return Buffer.concat([
    commandComplete('BEGIN'),
    message(BackendCode.rowDescription, Buffer.alloc(2)),
    message(BackendCode.dataRow, Buffer.alloc(2)),
    commandComplete('SELECT 1'),
    commandComplete('COMMIT'),
    readyForQuery('I'),
  ])
}

/** The replies to a question about the session, with these rows. */
export function factsReplies(...rows: readonly (readonly string[])[]): Buffer {
  return Buffer.concat([
    message(BackendCode.rowDescription, Buffer.alloc(2)),
    ...rows.map((columns) => dataRow(columns)),
    commandComplete(`SELECT ${rows.length}`),
    readyForQuery('I'),
  ])
}

export function dataRow(columns: readonly string[]): Buffer {
  const count = Buffer.alloc(2)
  count.writeUInt16BE(columns.length)
  const values = columns.map((column) => Buffer.from(column))
  const fields = values.flatMap((value) => [int32(value.length), value])
  return message(BackendCode.dataRow, count, ...fields)
}
