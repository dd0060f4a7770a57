import { timingSafeEqual } from 'node:crypto'
import type { ScramVerifier } from './scram.ts'
import { hmac, SCRAM_KEY_BYTES, sha256, xor } from './scram.ts'
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

/** What the client said first, and what it was answered. */
interface Opening {
  readonly gs2Header: string
  readonly clientFirstBare: string
  readonly serverFirst: string
  readonly nonce: string
}

/**
 * Proves that a client knows the password of a verifier, by SCRAM-SHA-256 without channel binding.
 * Serves one attempt. The user name in the exchange is ignored, as Postgres does: the startup
 * packet has named the user.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5802
 */
export class ScramServer {
  readonly #verifier: ScramVerifier
  readonly #serverNonce: string
  #opening: Opening | undefined

  /** @param serverNonce - Printable ASCII without comma. @defaultValue 18 random bytes in base64 */
  constructor(verifier: ScramVerifier, serverNonce: string = scramNonce()) {
    this.#verifier = verifier
    this.#serverNonce = serverNonce
  }

  /**
   * Answers client-first with server-first.
   *
   * @throws ProtocolViolationError - when the message is malformed, or asks for channel binding or
   *   for another authorization identity.
   */
  start(clientFirst: Buffer): Buffer {
    const { gs2Header, clientFirstBare } = splitClientFirst(scramText(clientFirst))
    const [user, clientNonce] = scramAttributes(clientFirstBare)
    expectScram(user, 'n')
    const nonce = expectNonce(clientNonce) + this.#serverNonce
    const { salt, iterations } = this.#verifier
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`
    this.#opening = { gs2Header, clientFirstBare, serverFirst, nonce }
    return Buffer.from(serverFirst, 'utf8')
  }

  /**
   * Answers client-final with server-final; `undefined` when the proof is wrong.
   *
   * @throws ProtocolViolationError - when the message is malformed, or does not belong to what
   *   `start` saw; also when there was no `start`, or a `finish` before.
   */
  finish(clientFinal: Buffer): Buffer | undefined {
    const opening = this.#opening
    this.#opening = undefined
    if (opening === undefined) throw malformedScram()
    const { withoutProof, proof } = readClientFinal(scramText(clientFinal), opening)
    const authMessage = `${opening.clientFirstBare},${opening.serverFirst},${withoutProof}`
    const { storedKey, serverKey } = this.#verifier
    const clientKey = xor(proof, hmac(storedKey, authMessage))
    if (!timingSafeEqual(sha256(clientKey), storedKey)) return undefined
    return Buffer.from(`v=${hmac(serverKey, authMessage).toString('base64')}`, 'utf8')
  }
}

/** Cuts after the second comma: `n,,` or `y,,`. */
function splitClientFirst(text: string): { gs2Header: string; clientFirstBare: string } {
  const gs2Header = text.slice(0, 3)
  if (gs2Header === 'n,,' || gs2Header === 'y,,') {
    return { gs2Header, clientFirstBare: text.slice(3) }
  }
  if (text.startsWith('p=')) {
    throw new ProtocolViolationError('SCRAM channel binding was not offered')
  }
  if (/^[ny],a=/.test(text)) {
    throw new ProtocolViolationError('SCRAM authorization identity is not supported')
  }
  throw malformedScram()
}

function readClientFinal(
  text: string,
  opening: Opening,
): { readonly withoutProof: string; readonly proof: Buffer } {
  const attributes = scramAttributes(text)
  const binding = expectBase64(attributes[0], 'c').toString('utf8')
  const nonce = expectNonce(attributes[1])
  const proof = expectBase64(attributes.length > 2 ? attributes.at(-1) : undefined, 'p')
  if (binding !== opening.gs2Header || nonce !== opening.nonce) {
    throw new ProtocolViolationError('SCRAM message of another exchange')
  }
  if (proof.length !== SCRAM_KEY_BYTES) throw malformedScram()
  return { withoutProof: text.slice(0, text.lastIndexOf(',')), proof }
}
