import { randomBytes, timingSafeEqual } from 'node:crypto'

/** What BackendKeyData tells a client. The secret is ours: no server's secret leaves the proxy. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Buffer
}

/** A key as its session gets it. */
export interface IssuedCancelKey extends CancelKey {
  /** Names the key to `revoke`: all that a session has to keep of it. */
  readonly id: number
}

/** What a key is made of. */
export interface CancelKeyOptions {
  /** Shown to the client; several sessions may have the same. @defaultValue a random number */
  readonly processId?: number | undefined
  /** Length of the secret: 4 for protocol 3.0, 32 since 3.2. */
  readonly keyBytes: 4 | 32
}

/** A session that a cancel request can be meant for. */
export interface CancelTarget {
  /** Cancels what the session is running at this moment, if anything. Never throws. */
  cancel(): Promise<void>
}

interface Issued {
  readonly processId: number
  /** What follows the first four bytes of the secret, one character a byte: lighter than bytes. */
  readonly secretRest: string
  readonly target: CancelTarget
}

/** Bytes of a secret that tell it from all others in use; the whole of a short one. */
const ID_BYTES = 4

/**
 * The cancel keys of the sessions that are open. A key that is old, guessed or cut does nothing.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export class CancelKeys {
  readonly #issued = new Map<number, Issued>()

  /** Gives a session its key: its secret is unpredictable, and unlike every other in use. */
  issue(target: CancelTarget, options: CancelKeyOptions): IssuedCancelKey {
    const { processId = randomProcessId(), keyBytes } = options
    let secretKey = randomBytes(keyBytes)
    while (this.#issued.has(idOf(secretKey))) secretKey = randomBytes(keyBytes)
    const id = idOf(secretKey)
    this.#issued.set(id, { processId, secretRest: restOf(secretKey), target })
    return { id, processId, secretKey }
  }

  /** The session is gone. */
  revoke(id: number): void {
    this.#issued.delete(id)
  }

  find({ processId, secretKey }: CancelKey): CancelTarget | undefined {
    if (secretKey.length < ID_BYTES) return undefined
    // To get past this, four bytes must be right; how long it takes tells nothing of the others.
    const issued = this.#issued.get(idOf(secretKey))
    if (issued === undefined || issued.processId !== processId) return undefined
    return isSameRest(issued.secretRest, secretKey) ? issued.target : undefined
  }

  get count(): number {
    return this.#issued.size
  }
}

/** Positive, as clients read it as a signed number and some show it to people. */
function randomProcessId(): number {
  return randomBytes(4).readUInt32BE() >>> 1 || 1
}

/** Signed, since such a number takes no room of its own as the key of a map. */
function idOf(secretKey: Buffer): number {
  return secretKey.readInt32BE()
}

function restOf(secretKey: Buffer): string {
  return secretKey.toString('latin1', ID_BYTES)
}

function isSameRest(secretRest: string, secretKey: Buffer): boolean {
  const due = Buffer.from(secretRest, 'latin1')
  const given = secretKey.subarray(ID_BYTES)
  return due.length === given.length && timingSafeEqual(due, given)
}
