import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { md5Hash, md5Response } from '../../src/wire/md5.ts'
import { ScramClient } from '../../src/wire/scram/scram-client.ts'

/** A message as the proxy sent it. */
export interface RawFrame {
  /** The type byte as a letter. */
  readonly code: string
  readonly body: Buffer
}

/** What a raw client logs in with. */
export interface RawLogin {
  readonly user: string
  readonly password: string
  readonly parameters?: Readonly<Record<string, string>>
}

/** The cancel key of a session, as BackendKeyData tells it. */
export interface RawKey {
  readonly processId: number
  readonly secret: Buffer
}

/**
 * A client that sends any bytes and sees every frame. It builds its messages itself, so that it
 * can't share a mistake with the code under test.
 */
export class RawClient {
  readonly socket: Socket
  /** Resolves when the connection is over, however it ended. */
  readonly closed: Promise<void>
  /** Frames that were read but not asked for yet. */
  readonly #frames: RawFrame[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #isClosed = false
  #wake = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', this.#received)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Speaks over a connection that is there already, such as one in TLS. */
  static over(socket: Socket): RawClient {
    const client = new RawClient(socket)
    socket.resume()
    return client
  }

  /** Connects and logs in. */
  static async login(port: number, login: RawLogin): Promise<RawClient> {
    const client = await RawClient.connect(port)
    await client.logIn(login)
    return client
  }

  /** Bytes that have come and are no whole frame yet. */
  get rest(): Buffer {
    return this.#bytes
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  send(...bytes: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  /** The next frame, or `undefined` once the connection has ended. */
  async next(): Promise<RawFrame | undefined> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) return frame
      if (this.#isClosed) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Frames up to and with the next one of that type, or to the end of the connection. */
  async upTo(code: string): Promise<readonly RawFrame[]> {
    const frames: RawFrame[] = []
    for (;;) {
      const frame = await this.next()
      if (frame === undefined) return frames
      frames.push(frame)
      if (frame.code === code) return frames
    }
  }

  /** Sends, and reads up to ReadyForQuery. */
  async ask(...bytes: readonly Buffer[]): Promise<readonly RawFrame[]> {
    this.send(...bytes)
    return this.upTo('Z')
  }

  /** Reads all frames until the proxy hangs up. */
  toEnd(): Promise<readonly RawFrame[]> {
    return this.upTo('the end')
  }

  /**
   * Logs in by whatever method it is asked for.
   *
   * @returns The frames of the login, with ReadyForQuery or with the error that ended it.
   */
  logIn({ user, password, parameters = {} }: RawLogin): Promise<readonly RawFrame[]> {
    this.send(startup({ user, ...parameters }))
    return this.prove({ user, password })
  }

  /** The part of `logIn` behind the startup packet. */
  async prove({ user, password }: RawLogin): Promise<readonly RawFrame[]> {
    const scram = new ScramClient({ kind: 'password', password })
    const frames: RawFrame[] = []
    for (;;) {
      const frame = await this.next()
      if (frame === undefined) return frames
      frames.push(frame)
      if (frame.code === 'Z' || frame.code === 'E') return frames
      if (frame.code === 'R') await this.#answer(frame.body, { user, password, scram })
    }
  }

  /** Stops taking frames apart: for floods that are only counted. */
  detach(): Socket {
    this.socket.off('data', this.#received)
    return this.socket
  }

  async end(): Promise<void> {
    if (!this.#isClosed) this.socket.end(frame('X'))
    this.socket.resume()
    await this.closed
  }

  async #answer(
    body: Buffer,
    { user, password, scram }: RawLogin & { readonly scram: ScramClient },
  ): Promise<void> {
    const data = body.subarray(4)
    switch (body.readInt32BE()) {
      case 3:
        return this.send(frame('p', text(password)))
      case 5:
        return this.send(frame('p', text(md5Response(md5Hash(password, user), data))))
      case 10: {
        const first = scram.start()
        return this.send(frame('p', text('SCRAM-SHA-256'), int32(first.length), first))
      }
      case 11:
        return this.send(frame('p', await scram.proceed(data)))
      default:
        return
    }
  }

  readonly #received = (chunk: Buffer): void => {
    let bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    while (bytes.length >= 5) {
      const end = 1 + bytes.readInt32BE(1)
      if (bytes.length < end) break
      this.#frames.push({ code: bytes.toString('latin1', 0, 1), body: bytes.subarray(5, end) })
      bytes = bytes.subarray(end)
    }
    this.#bytes = bytes
    this.#wake()
  }
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A text and its NUL. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

export function frame(code: string, ...body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(body)
  return Buffer.concat([Buffer.from(code, 'latin1'), int32(bytes.length + 4), bytes])
}

/** A packet without a type byte. */
export function packet(...body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(body)
  return Buffer.concat([int32(bytes.length + 4), bytes])
}

export function startup(
  parameters: Readonly<Record<string, string>>,
  version: number = 3 << 16,
): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [text(name), text(value)])
  return packet(int32(version), ...pairs, Buffer.of(0))
}

export function query(sql: string): Buffer {
  return frame('Q', text(sql))
}

export function parse(name: string, sql: string): Buffer {
  return frame('P', text(name), text(sql), int16(0))
}

/** Binds texts to a statement; results come as text. */
export function bind(portal: string, statement: string, values: readonly string[] = []): Buffer {
  const bound = values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)])
  return frame(
    'B',
    text(portal),
    text(statement),
    int16(0),
    int16(values.length),
    ...bound,
    int16(0),
  )
}

export function describe(kind: 'S' | 'P', name: string): Buffer {
  return frame('D', Buffer.from(kind), text(name))
}

export function execute(portal = '', maxRows = 0): Buffer {
  return frame('E', text(portal), int32(maxRows))
}

export function close(kind: 'S' | 'P', name: string): Buffer {
  return frame('C', Buffer.from(kind), text(name))
}

export const sync: Buffer = frame('S')
export const flush: Buffer = frame('H')

function cancelPacket({ processId, secret }: RawKey): Buffer {
  return packet(int32(80_877_102), int32(processId), secret)
}

/** Sends a cancel request and waits until the proxy hangs up. */
export async function sendCancel(port: number, key: RawKey): Promise<void> {
  const client = await RawClient.connect(port)
  client.send(cancelPacket(key))
  await client.closed
}

/** Type bytes of the frames, as one word. */
export function codes(frames: readonly RawFrame[]): string {
  return frames.map(({ code }) => code).join('')
}

/** The fields of an ErrorResponse or NoticeResponse. */
export function fields(frame: RawFrame | undefined): Readonly<Record<string, string>> {
  const parts = (frame?.body.toString() ?? '').split('\0').filter((part) => part !== '')
  return Object.fromEntries(parts.map((part) => [part.slice(0, 1), part.slice(1)]))
}

/** SQLSTATEs of the errors among the frames. */
export function sqlStates(frames: readonly RawFrame[]): readonly (string | undefined)[] {
  return frames.filter(({ code }) => code === 'E').map((frame) => fields(frame)['C'])
}

/** Texts of the rows, columns joined by a bar. */
export function rows(frames: readonly RawFrame[]): readonly string[] {
  return frames.filter(({ code }) => code === 'D').map(({ body }) => columns(body).join('|'))
}

function columns(body: Buffer): readonly string[] {
  const values: string[] = []
  let at = 2
  for (let left = body.readInt16BE(); left > 0; left--) {
    const length = body.readInt32BE(at)
    values.push(length < 0 ? '∅' : body.toString('utf8', at + 4, at + 4 + length))
    at += 4 + Math.max(0, length)
  }
  return values
}

/** The cancel key among the frames of a login. */
export function keyOf(frames: readonly RawFrame[]): RawKey {
  const found = frames.find(({ code }) => code === 'K')
  if (found === undefined) throw new Error('the login had no BackendKeyData')
  return { processId: found.body.readInt32BE(), secret: found.body.subarray(4) }
}
