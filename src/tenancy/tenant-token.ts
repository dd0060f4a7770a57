import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

/** A key that proxies sign with and databases verify with. */
export interface TokenKey {
  /** 1 to 32 letters, digits, `_` and `-`. */
  readonly id: string
  /** 32 bytes in base64. */
  readonly key: string
}

/** Whom a token is for. */
export interface TokenHolder {
  /** Any text of 1 to 256 bytes in UTF-8, without NUL. */
  readonly tenantId: string
  /** The server's process that is to act for the tenant, as its BackendKeyData told it. */
  readonly processId: number
}

/** What a link puts into the tenant setting of a server connection. */
export interface TenantToken {
  readonly text: string
  /** Transactions that begin before, by the server's clock, see the tenant's rows. */
  readonly expiresAtMs: number
}

const KEY_ID = /^[\w-]{1,32}$/
const KEY_BYTES = 32
const NONCE_BYTES = 16
const MAX_ID_BYTES = 256

/**
 * Signs tokens that `pgusher.tenant_id()` of the SQL kit accepts. A token is
 * `<id>.<expiry>.<nonce>.<key id>.<hmac>`:
 *
 * - id: the tenant's, in UTF-8, in hex, so that it may hold any text, and the token is ASCII;
 * - expiry: milliseconds since 1970, in decimal;
 * - nonce: 16 random bytes in hex: no two tokens are the same;
 * - hmac: HMAC-SHA-256 in hex, over all before it with the last dot, and the process id in decimal.
 *
 * The process id does not stand in a token: what was stolen is worth nothing in another server
 * process. But the thief may be served by that process later, so a token goes to the server as a
 * bound parameter, never in the text of a statement: `pg_stat_activity` shows that text to all
 * sessions of the same login.
 */
export class TenantTokenSigner {
  readonly #keyId: string
  readonly #key: KeyObject
  readonly #lifetimeMs: number

  /**
   * @param lifetimeMs - Of each token; more than the clocks of proxy and server may differ.
   * @throws RangeError - when the key has no such id, is not of 32 bytes, or tokens would not live.
   */
  constructor({ id, key }: TokenKey, lifetimeMs: number) {
    const bytes = Buffer.from(key, 'base64')
    if (!KEY_ID.test(id)) throw new RangeError(`'${id}' is no id of a key`)
    if (bytes.length !== KEY_BYTES) throw new RangeError(`key '${id}' is not of 32 bytes`)
    if (!(lifetimeMs > 0)) throw new RangeError('tokens need time to live')
    this.#keyId = id
    this.#key = createSecretKey(bytes)
    this.#lifetimeMs = lifetimeMs
  }

  /** @throws RangeError - when no token can hold the tenant's id; see `isTokenId`. */
  sign({ tenantId, processId }: TokenHolder, nowMs: number): TenantToken {
    if (!isTokenId(tenantId)) throw new RangeError('an id that no token can hold')
    const expiresAtMs = Math.floor(nowMs + this.#lifetimeMs)
    const nonce = randomBytes(NONCE_BYTES).toString('hex')
    const signed = `${tokenStart(tenantId)}${expiresAtMs}.${nonce}.${this.#keyId}.`
    const hmac = createHmac('sha256', this.#key).update(`${signed}${processId}`, 'latin1')
    return { text: `${signed}${hmac.digest('hex')}`, expiresAtMs }
  }
}

/** Whether a token can hold a tenant's id. */
export function isTokenId(tenantId: string): boolean {
  const bytes = Buffer.byteLength(tenantId, 'utf8')
  // What has no UTF-8, half a surrogate pair, would be replaced: two ids would become one.
  return bytes > 0 && bytes <= MAX_ID_BYTES && !/[\0\p{Surrogate}]/u.test(tenantId)
}

/** What every token of a tenant begins with, and no token of another one. */
export function tokenStart(tenantId: string): string {
  return `${Buffer.from(tenantId, 'utf8').toString('hex')}.`
}
