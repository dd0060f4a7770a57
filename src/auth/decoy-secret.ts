import { createHmac, randomBytes } from 'node:crypto'
import { DEFAULT_SCRAM_ITERATIONS, type ScramVerifier } from '../wire/scram/scram.ts'

const SALT_BYTES = 16
const MD5_HEX_DIGITS = 32

const processKey = randomBytes(32)

/**
 * A verifier that no password fits, for a login that has none. The same seed always gets the
 * same salt, as a real one would: else two attempts would tell which logins exist.
 *
 * @param key - Secret. Proxies behind one address look alike only if they share it.
 * @defaultValue `key`: drawn at the start of the process
 * @see https://github.com/postgres/postgres/blob/REL_18_0/src/backend/libpq/auth-scram.c - mock_scram_secret
 */
export function decoyVerifier(seed: string, key: Buffer = processKey): ScramVerifier {
  return {
    iterations: DEFAULT_SCRAM_ITERATIONS,
    salt: derive(key, 'salt', seed).subarray(0, SALT_BYTES),
    storedKey: derive(key, 'stored key', seed),
    serverKey: derive(key, 'server key', seed),
  }
}

/** The same for md5: 32 hex digits that are no password's hash. */
export function decoyMd5Hash(seed: string, key: Buffer = processKey): string {
  return derive(key, 'md5', seed).toString('hex').slice(0, MD5_HEX_DIGITS)
}

function derive(key: Buffer, purpose: string, seed: string): Buffer {
  return createHmac('sha256', key).update(`${purpose}\0${seed}`).digest()
}
