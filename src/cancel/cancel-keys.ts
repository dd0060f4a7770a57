import { randomBytes } from 'node:crypto'

/** Bytes of a cancel key's secret in protocol 3.0. */
const SECRET_BYTES = 4

/** What BackendKeyData tells a client. The numbers are ours: no server's key leaves the proxy. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Buffer
}

/** A session that a cancel request can be meant for. */
export interface CancelTarget {
  /** Cancels what the session is running at this moment, if anything. Never throws. */
  cancel(): Promise<void>
}

interface IssuedKey {
  readonly secret: number
  readonly target: CancelTarget
}

/**
 * The cancel keys of the sessions that are open. A key that is old, guessed or cut does nothing.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export class CancelKeys {
  readonly #issued = new Map<number, IssuedKey>()

  /** Gives a session its key: unpredictable, and unlike every other that is in use. */
  issue(target: CancelTarget): CancelKey {
    let processId = 0
    // Positive, as clients read it as a signed number and some show it to people.
    do processId = randomBytes(4).readUInt32BE() >>> 1
    while (processId === 0 || this.#issued.has(processId))
    const secretKey = randomBytes(SECRET_BYTES)
    this.#issued.set(processId, { secret: secretKey.readUInt32BE(), target })
    return { processId, secretKey }
  }

  /** The session is gone. */
  revoke(processId: number): void {
    this.#issued.delete(processId)
  }

  find(key: CancelKey): CancelTarget | undefined {
    const issued = this.#issued.get(key.processId)
    if (issued === undefined || key.secretKey.length !== SECRET_BYTES) return undefined
    // Numbers are compared in constant time.
    return issued.secret === key.secretKey.readUInt32BE() ? issued.target : undefined
  }

  get count(): number {
    return this.#issued.size
  }
}
