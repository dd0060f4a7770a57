import { timingSafeEqual } from 'node:crypto'
import { hmac, saltPassword, scramKeys, sha256, xor } from './scram.ts'
import {
  expectBase64,
  expectNonce,
  expectScram,
  malformedScram,
  scramAttributes,
  scramNonce,
  scramText,
} from './scram-attributes.ts'
import { ProtocolViolationError } from './wire-errors.ts'

/** Most iterations that a server may ask for: 25 times Postgres' default. More is an attack. */
export const MAX_SERVER_ITERATIONS = 100_000

/** No channel binding, no authorization identity. */
const GS2_HEADER = 'n,,'
const ITERATIONS = /^[1-9]\d{0,8}$/

/**
 * Logs in to a server by SCRAM-SHA-256 without channel binding. Serves one attempt. The user name
 * stays empty, as with libpq: the startup packet has named the user.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5802
 */
export class ScramClient {
  readonly #password: string
  readonly #clientNonce: string
  #serverSignature: Buffer | undefined

  /** @param clientNonce - Printable ASCII without comma. @defaultValue 18 random bytes in base64 */
  constructor(password: string, clientNonce: string = scramNonce()) {
    this.#password = password
    this.#clientNonce = clientNonce
  }

  /** The client-first message. */
  start(): Buffer {
    return Buffer.from(`${GS2_HEADER}${this.#clientFirstBare()}`, 'utf8')
  }

  /**
   * Answers server-first with client-final.
   *
   * @throws ProtocolViolationError - when the message is malformed, does not carry on our nonce, or
   *   asks for more than {@link MAX_SERVER_ITERATIONS}.
   */
  async proceed(serverFirst: Buffer): Promise<Buffer> {
    const text = scramText(serverFirst)
    const { nonce, salt, iterations } = readServerFirst(text, this.#clientNonce)
    const saltedPassword = await saltPassword(this.#password, salt, iterations)
    const { clientKey, serverKey } = scramKeys(saltedPassword)
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`
    const authMessage = `${this.#clientFirstBare()},${text},${withoutProof}`
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage))
    this.#serverSignature = hmac(serverKey, authMessage)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`, 'utf8')
  }

  /**
   * Checks that the server knows the password too.
   *
   * @throws ProtocolViolationError - when it does not, or when the message is malformed or early.
   */
  finish(serverFinal: Buffer): void {
    const expected = this.#serverSignature
    this.#serverSignature = undefined
    const [first] = scramAttributes(scramText(serverFinal))
    if (expected === undefined) throw malformedScram()
    const signature = expectBase64(first, 'v')
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new ProtocolViolationError('SCRAM server signature is wrong')
    }
  }

  #clientFirstBare(): string {
    return `n=,r=${this.#clientNonce}`
  }
}

function readServerFirst(
  text: string,
  clientNonce: string,
): { readonly nonce: string; readonly salt: Buffer; readonly iterations: number } {
  const attributes = scramAttributes(text)
  const nonce = expectNonce(attributes[0])
  const salt = expectBase64(attributes[1], 's')
  const digits = expectScram(attributes[2], 'i')
  if (!nonce.startsWith(clientNonce) || nonce === clientNonce) {
    throw new ProtocolViolationError('SCRAM server nonce does not carry on ours')
  }
  const iterations = Number(digits)
  if (!ITERATIONS.test(digits) || iterations > MAX_SERVER_ITERATIONS) {
    throw new ProtocolViolationError('SCRAM iteration count is out of bounds')
  }
  return { nonce, salt, iterations }
}
