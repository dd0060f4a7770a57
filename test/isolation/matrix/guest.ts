import {
  frame,
  keyOf,
  RawClient,
  type RawFrame,
  type RawKey,
  sqlStates,
} from '../../support/raw-client.ts'

/** A client that remembers what it was told of its session. */
export class Guest {
  readonly client: RawClient
  readonly key: RawKey
  /** ParameterStatus values, as they were reported last. */
  readonly reported = new Map<string, string>()
  /** Of the last ReadyForQuery. */
  transactionStatus = 'I'

  private constructor(client: RawClient, greeting: readonly RawFrame[]) {
    this.client = client
    this.key = keyOf(greeting)
    this.#note(greeting)
  }

  /** @returns The SQLSTATE when it is not let in. */
  static async enter(
    port: number,
    user: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<Guest | string> {
    const client = await RawClient.connect(port)
    const frames = await client.logIn({ user, password: '', parameters })
    const [refusal] = sqlStates(frames)
    if (refusal === undefined) return new Guest(client, frames)
    await client.closed
    return refusal
  }

  /** Sends one request after the other, and gathers all that is answered. */
  async run(requests: readonly Buffer[]): Promise<readonly RawFrame[]> {
    const frames: RawFrame[] = []
    for (const request of requests) frames.push(...(await this.ask(request)))
    return frames
  }

  /** Sends all of them and a goodbye in one write. */
  async runAndEnd(requests: readonly Buffer[]): Promise<readonly RawFrame[]> {
    this.client.send(...requests, frame('X'))
    return this.client.toEnd()
  }

  async ask(request: Buffer): Promise<readonly RawFrame[]> {
    this.client.send(request)
    return this.answer()
  }

  /** Reads up to ReadyForQuery, or to the end of the connection. */
  async answer(): Promise<readonly RawFrame[]> {
    const frames = await this.client.upTo('Z')
    this.#note(frames)
    return frames
  }

  async end(): Promise<void> {
    await this.client.end()
  }

  /** Vanishes without a word. */
  async vanish(): Promise<void> {
    this.client.socket.destroy()
    await this.client.closed
  }

  /** Vanishes with an RST. */
  async reset(): Promise<void> {
    this.client.socket.resetAndDestroy()
    await this.client.closed
  }

  #note(frames: readonly RawFrame[]): void {
    for (const { code, body } of frames) {
      if (code === 'Z') this.transactionStatus = body.toString()
      if (code !== 'S') continue
      const [name = '', value = ''] = body.toString().split('\0')
      this.reported.set(name, value)
    }
  }
}
