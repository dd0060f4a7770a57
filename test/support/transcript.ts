import { createHash } from 'node:crypto'
import { frame, query, RawClient, type RawFrame, rows, startup } from './raw-client.ts'

/** Longer bodies stand in a transcript as their digest. */
const MAX_SHOWN_BYTES = 4096
const PROTOCOL_3_0 = 3 << 16
/** Far longer than an answer takes: whoever keeps silent for that long has nothing more to say. */
const SILENCE_MS = 15_000

/** Where a conversation is held, and as whom. */
export interface Party {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly parameters: Readonly<Record<string, string>>
  /** @defaultValue 3.0 */
  readonly version?: number
  /** Every byte is written by itself. */
  readonly isSlow?: boolean
}

/** What a client says, and what it waits for. Whatever it reads goes into the transcript. */
export type Script = (talk: Conversation) => Promise<void>

/**
 * One client's conversation with a server, written down message by message: type, body, the end of
 * the connection. Process ids and secrets alone are left out, as no two connections share them.
 */
export class Conversation {
  readonly client: RawClient
  readonly #isSlow: boolean
  readonly #lines: string[] = []
  #processId = 0

  private constructor(client: RawClient, isSlow: boolean) {
    this.client = client
    this.#isSlow = isSlow
  }

  /** Logs in; the transcript begins with AuthenticationOk. */
  static async begin(party: Party): Promise<Conversation> {
    const { user, parameters, version = PROTOCOL_3_0, isSlow = false } = party
    const client = await RawClient.connect(party.port)
    const talk = new Conversation(client, isSlow)
    await talk.send(startup({ user, ...parameters }, version))
    const login = await client.prove(party)
    for (const frame of login) if (!isProof(frame)) talk.#note(frame)
    if (login.at(-1)?.code !== 'Z') await talk.toEnd()
    return talk
  }

  /** The server's process, as BackendKeyData told it. */
  get processId(): number {
    return this.#processId
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  async send(...bytes: readonly Buffer[]): Promise<void> {
    if (!this.#isSlow) {
      this.client.send(...bytes)
      return
    }
    for (const byte of Buffer.concat(bytes)) {
      this.client.send(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Reads up to and with the next message of that type, or to the end of the connection. */
  async upTo(code: string): Promise<readonly RawFrame[]> {
    let isSilent = false
    const timer = setTimeout(() => {
      isSilent = true
      this.client.socket.destroy()
    }, SILENCE_MS)
    const frames = await this.client.upTo(code)
    clearTimeout(timer)
    if (isSilent) throw new Error(`silence instead of ${code}, after ${this.#lines.join('; ')}`)
    for (const frame of frames) this.#note(frame)
    if (frames.at(-1)?.code !== code) this.#lines.push('the end')
    return frames
  }

  /** Sends, and reads up to ReadyForQuery. */
  async ask(...bytes: readonly Buffer[]): Promise<readonly RawFrame[]> {
    await this.send(...bytes)
    return this.upTo('Z')
  }

  /** Runs texts as simple queries, one after another. */
  async run(...texts: readonly string[]): Promise<void> {
    for (const sql of texts) await this.ask(query(sql))
  }

  async toEnd(): Promise<void> {
    await this.upTo('the end')
  }

  /** Writes down whether the server knows itself by the process id of its greeting. */
  async notePid(): Promise<void> {
    const [pid] = rows(await this.client.ask(query('SELECT pg_backend_pid()')))
    this.#lines.push(
      `its process is ${pid === String(this.#processId) ? 'the greeted' : 'another'}`,
    )
  }

  #note({ code, body }: RawFrame): void {
    if (code === 'K') {
      this.#processId = body.readInt32BE()
      this.#lines.push(`K process and ${body.length - 4} bytes`)
    } else if (code === 'A') {
      const whose = body.readInt32BE() === this.#processId ? 'own' : 'other'
      this.#lines.push(`A ${whose} ${shown(body.subarray(4))}`)
    } else {
      this.#lines.push(`${code} ${shown(body)}`)
    }
  }
}

/** The whole conversation of a script, with the goodbye. */
export async function transcribe(party: Party, script: Script): Promise<readonly string[]> {
  const talk = await Conversation.begin(party)
  if (!talk.client.isClosed) await script(talk)
  if (!talk.client.isClosed) {
    await talk.send(frame('X'))
    await talk.toEnd()
  }
  return talk.lines
}

/** What belongs to the proof of a password: it differs, and ends with AuthenticationOk. */
function isProof({ code, body }: RawFrame): boolean {
  return code === 'R' && body.readInt32BE() !== 0
}

function shown(body: Buffer): string {
  if (body.length <= MAX_SHOWN_BYTES) return JSON.stringify(body.toString('latin1'))
  return `${body.length} bytes, ${createHash('sha256').update(body).digest('hex')}`
}
