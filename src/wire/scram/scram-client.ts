import { timingSafeEqual } from 'node:crypto'
import { ProtocolViolationError } from '../wire-errors.ts'
import { TLS_SERVER_END_POINT } from './channel-binding.ts'
import { hmac, type ScramKeys, saltPassword, scramKeys, sha256, xor } from './scram.ts'
import {
  expectBase64,
  expectNonce,
  expectScram,
  malformedScram,
  scramAttributes,
  scramNonce,
  scramText,
} from './scram-attributes.ts'

/** Most iterations that a server may ask for: 25 times Postgres' default. More is an attack. */
export const MAX_SERVER_ITERATIONS = 100_000

const ITERATIONS = /^[1-9]\d{0,8}$/

/**
 * What a login is proven by: its password, or the keys that the password stands for at one server.
 * The keys fit only the salt and the iterations of the verifier that they were proven against.
 */
export type ScramSecret =
  | { readonly kind: 'password'; readonly password: string }
  | ({ readonly kind: 'keys' } & ScramKeys)

/**
 * What is said of channel binding. `none`: we can't, or won't. `unused`: we could, but the server
 * did not offer it; one that did knows then that somebody in between has taken its offer away.
 * `endPoint`: the hash of the server's certificate as we have seen it.
 */
export type ClientBinding =
  | { readonly kind: 'none' }
  | { readonly kind: 'unused' }
  | { readonly kind: 'endPoint'; readonly hash: Buffer }

export interface ScramClientOptions {
  /** Printable ASCII without comma. @defaultValue 18 random bytes in base64 */
  readonly clientNonce?: string
  /** @defaultValue `none` */
  readonly channelBinding?: ClientBinding
}

/**
 * Logs in to a server by SCRAM-SHA-256, or SCRAM-SHA-256-PLUS with an `endPoint`. Serves one
 * attempt. The user name stays empty, as with libpq: the startup packet has named the user.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5802
 */
export class ScramClient {
  readonly #secret: ScramSecret
  readonly #clientNonce: string
  readonly #gs2Header: string
  /** What `c=` stands for: the header, and the data of the binding. */
  readonly #boundInput: Buffer
  #serverSignature: Buffer | undefined

  constructor(secret: ScramSecret, options: ScramClientOptions = {}) {
    const { clientNonce = scramNonce(), channelBinding = { kind: 'none' } } = options
    this.#secret = secret
    this.#clientNonce = clientNonce
    this.#gs2Header = gs2HeaderOf(channelBinding)
    const data = channelBinding.kind === 'endPoint' ? channelBinding.hash : Buffer.alloc(0)
    this.#boundInput = Buffer.concat([Buffer.from(this.#gs2Header), data])
  }

  /** The client-first message. */
  start(): Buffer {
    return Buffer.from(`${this.#gs2Header}${this.#clientFirstBare()}`, 'utf8')
  }

  /**
   * Answers server-first with client-final.
   *
   * @throws ProtocolViolationError - when the message is malformed, does not carry on our nonce, or
   *   asks for more than {@link MAX_SERVER_ITERATIONS}.
   */
  async proceed(serverFirst: Buffer): Promise<Buffer> {
    const text = scramText(serverFirst)
    const challenge = readServerFirst(text, this.#clientNonce)
    const { clientKey, serverKey } = await keysOf(this.#secret, challenge)
    const withoutProof = `c=${this.#boundInput.toString('base64')},r=${challenge.nonce}`
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

/** No authorization identity, ever. */
function gs2HeaderOf({ kind }: ClientBinding): string {
  switch (kind) {
    case 'none':
      return 'n,,'
    case 'unused':
      return 'y,,'
    case 'endPoint':
      return `p=${TLS_SERVER_END_POINT},,`
  }
}

interface Challenge {
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

async function keysOf(secret: ScramSecret, { salt, iterations }: Challenge): Promise<ScramKeys> {
  if (secret.kind === 'keys') return secret
  return scramKeys(await saltPassword(secret.password, salt, iterations))
}

function readServerFirst(text: string, clientNonce: string): Challenge {
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
