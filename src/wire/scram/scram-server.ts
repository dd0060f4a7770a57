import { timingSafeEqual } from 'node:crypto'
import { ChannelBindingError, ProtocolViolationError } from '../wire-errors.ts'
import { TLS_SERVER_END_POINT } from './channel-binding.ts'
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

const GS2_HEADER = /^(?:([ny])|p=([A-Za-z0-9.-]+)),(a=[^,]*)?,/

export interface ScramServerOptions {
  /** Printable ASCII without comma. @defaultValue 18 random bytes in base64 */
  readonly serverNonce?: string | undefined
  /** Hash of our certificate, when SCRAM-SHA-256-PLUS was among what we offered. */
  readonly channelBinding?: Buffer | undefined
  /** The client chose SCRAM-SHA-256-PLUS. @defaultValue `false` */
  readonly isPlus?: boolean | undefined
}

/** What a right proof is answered with. */
export interface ScramProven {
  /** The server-final message. */
  readonly signature: Buffer
  /** Proves the same login to any server that holds the same verifier. As secret as a password. */
  readonly clientKey: Buffer
}

/** What the client said first, and what it was answered. */
interface Opening {
  /** What `c=` of the client's last message must stand for. */
  readonly boundInput: Buffer
  readonly clientFirstBare: string
  readonly serverFirst: string
  readonly nonce: string
}

/**
 * Proves that a client knows the password of a verifier, by SCRAM-SHA-256 with or without channel
 * binding. Serves one attempt. The user name in the exchange is ignored, as Postgres does: the
 * startup packet has named the user.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5802
 */
export class ScramServer {
  readonly #verifier: ScramVerifier
  readonly #serverNonce: string
  readonly #channelBinding: Buffer | undefined
  readonly #isPlus: boolean
  #opening: Opening | undefined

  constructor(verifier: ScramVerifier, options: ScramServerOptions = {}) {
    this.#verifier = verifier
    this.#serverNonce = options.serverNonce ?? scramNonce()
    this.#channelBinding = options.channelBinding
    this.#isPlus = options.isPlus ?? false
  }

  /**
   * Answers client-first with server-first.
   *
   * @throws ProtocolViolationError - when the message is malformed, asks for another authorization
   *   identity, or says something of channel binding that the chosen mechanism does not allow.
   * @throws ChannelBindingError - when the client could bind but was not offered what we offered.
   */
  start(clientFirst: Buffer): Buffer {
    const { gs2Header, clientFirstBare } = splitClientFirst(scramText(clientFirst))
    const boundInput = this.#boundInput(gs2Header)
    const [user, clientNonce] = scramAttributes(clientFirstBare)
    expectScram(user, 'n')
    const nonce = expectNonce(clientNonce) + this.#serverNonce
    const { salt, iterations } = this.#verifier
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`
    this.#opening = { boundInput, clientFirstBare, serverFirst, nonce }
    return Buffer.from(serverFirst, 'utf8')
  }

  /**
   * Answers client-final with server-final; `undefined` when the proof is wrong.
   *
   * @throws ProtocolViolationError - when the message is malformed, or does not belong to what
   *   `start` saw; also when there was no `start`, or a `finish` before.
   * @throws ChannelBindingError - when the client sees another certificate than ours.
   */
  finish(clientFinal: Buffer): ScramProven | undefined {
    const opening = this.#opening
    this.#opening = undefined
    if (opening === undefined) throw malformedScram()
    const { binding, withoutProof, proof } = readClientFinal(scramText(clientFinal), opening)
    if (!binding.equals(opening.boundInput)) {
      if (this.#isPlus) throw new ChannelBindingError('SCRAM channel binding check failed')
      throw new ProtocolViolationError('SCRAM message of another exchange')
    }
    const authMessage = `${opening.clientFirstBare},${opening.serverFirst},${withoutProof}`
    const { storedKey, serverKey } = this.#verifier
    const clientKey = xor(proof, hmac(storedKey, authMessage))
    if (!timingSafeEqual(sha256(clientKey), storedKey)) return undefined
    const signature = `v=${hmac(serverKey, authMessage).toString('base64')}`
    return { signature: Buffer.from(signature, 'utf8'), clientKey }
  }

  #boundInput(gs2Header: string): Buffer {
    const header = Buffer.from(gs2Header)
    if (gs2Header.startsWith('p=')) {
      return Buffer.concat([header, this.#hashFor(gs2Header.slice(2, -2))])
    }
    if (this.#isPlus) throw new ProtocolViolationError('SCRAM channel binding data is missing')
    if (gs2Header === 'y,,' && this.#channelBinding !== undefined) {
      throw new ChannelBindingError('SCRAM channel binding negotiation error')
    }
    return header
  }

  #hashFor(type: string): Buffer {
    if (!this.#isPlus || this.#channelBinding === undefined) {
      throw new ProtocolViolationError('SCRAM channel binding was not agreed on')
    }
    if (type !== TLS_SERVER_END_POINT) {
      throw new ProtocolViolationError('SCRAM channel binding type is not supported')
    }
    return this.#channelBinding
  }
}

/** Cuts after the second comma: `n,,`, `y,,` or `p=type,,`. */
function splitClientFirst(text: string): { gs2Header: string; clientFirstBare: string } {
  const [gs2Header, , , identity] = GS2_HEADER.exec(text) ?? []
  if (gs2Header === undefined) throw malformedScram()
  if (identity !== undefined) {
    throw new ProtocolViolationError('SCRAM authorization identity is not supported')
  }
  return { gs2Header, clientFirstBare: text.slice(gs2Header.length) }
}

function readClientFinal(
  text: string,
  opening: Opening,
): { readonly binding: Buffer; readonly withoutProof: string; readonly proof: Buffer } {
  const attributes = scramAttributes(text)
  const binding = expectBase64(attributes[0], 'c')
  const nonce = expectNonce(attributes[1])
  const proof = expectBase64(attributes.length > 2 ? attributes.at(-1) : undefined, 'p')
  if (nonce !== opening.nonce) {
    throw new ProtocolViolationError('SCRAM message of another exchange')
  }
  if (proof.length !== SCRAM_KEY_BYTES) throw malformedScram()
  return { binding, withoutProof: text.slice(0, text.lastIndexOf(',')), proof }
}
