import { quoteLiteral } from '../sql/quote.ts'
import {
  blockQuery,
  type Link,
  type LinkMove,
  type LinkOrigin,
  linkMove,
  openBlock,
  type TokenPlace,
} from '../tenancy/link.ts'
import type { TenantToken, TenantTokenSigner } from '../tenancy/tenant-token.ts'
import { boundStatement, query } from '../wire/frontend-messages.ts'

/** The bytes of a link, and what they will bring about. */
export interface WrittenLink {
  readonly bytes: Buffer
  /** Messages that are answered one by one, the last one by the answer to the link. */
  readonly parts: number
  /** `undefined` when nothing but a token is renewed. */
  readonly move: LinkMove | undefined
}

/** A connection gets a new token when so much of the lifetime of its own is left. */
const RENEWED_SHARE = 0.5
const TOKEN_STATEMENT = 'pgusher_token'

/**
 * Writes the links of one server connection, and signs the tokens that go with them. A token is
 * sent as a bound value: the text of a statement can be read by all sessions of the same login.
 */
export class LinkWriter {
  readonly #processId: number
  readonly #signer: () => TenantTokenSigner | undefined
  readonly #nowMs: () => number
  #token: TenantToken | undefined
  #renewsAtMs = 0

  /** @param nowMs - Milliseconds since 1970, by the clock that expiries are told in. */
  constructor(
    processId: number,
    signer: () => TenantTokenSigner | undefined,
    nowMs: () => number = Date.now,
  ) {
    this.#processId = processId
    this.#signer = signer
    this.#nowMs = nowMs
  }

  /** The token that was put in force last, and not taken back. */
  get token(): string | undefined {
    return this.#token?.text
  }

  /** The setting that held the token was reset. */
  forgetToken(): void {
    this.#token = undefined
  }

  /** Whether a connection of that link needs a token before its tenant can see anything. */
  needsToken({ token }: Link): boolean {
    return token !== undefined && (this.#token === undefined || this.#nowMs() >= this.#renewsAtMs)
  }

  /** What moves the connection to `wanted`; `undefined` when it is there already. */
  write(origin: LinkOrigin, wanted: Link): WrittenLink | undefined {
    const move = linkMove(origin, wanted)
    if (move?.isReset === true) this.#token = undefined
    if (wanted.token === undefined || !this.needsToken(wanted)) {
      return move && { bytes: query(blockQuery(move)), parts: 1, move }
    }
    const signed = this.#signed(wanted.token)
    if (move === undefined) return { bytes: signed, parts: 1, move }
    const [before, behind] = openBlock(move)
    return { bytes: Buffer.concat([query(before), signed, query(behind)]), parts: 3, move }
  }

  #signed({ setting, tenantId }: TokenPlace): Buffer {
    const signer = this.#signer()
    if (signer === undefined) throw new Error('a sealed tenant, and no key to sign with')
    const nowMs = this.#nowMs()
    const token = signer.sign({ tenantId, processId: this.#processId }, nowMs)
    this.#token = token
    this.#renewsAtMs = nowMs + (token.expiresAtMs - nowMs) * RENEWED_SHARE
    const sql = `SELECT pg_catalog.set_config(${quoteLiteral(setting)}, $1, false)`
    return boundStatement(TOKEN_STATEMENT, sql, [token.text])
  }
}
