import {
  createHash,
  createHmac,
  pbkdf2,
  pbkdf2Sync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { saslPrep } from './saslprep.ts'

/** The mechanism without channel binding. */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256'

/** The same, bound to the TLS connection that it runs over. */
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS'

/** Length of every key, proof and signature. */
export const SCRAM_KEY_BYTES = 32

/** What a new verifier gets; Postgres' `scram_iterations`. */
export const DEFAULT_SCRAM_ITERATIONS = 4096

const SALT_BYTES = 16
/** What fits Postgres' own counter. */
const MAX_VERIFIER_ITERATIONS = 2 ** 31 - 1
const VERIFIER = /^SCRAM-SHA-256\$([1-9]\d{0,9}):([^$:]+)\$([^$:]+):([^$:]+)$/

/** What proves a password without being one: the content of `pg_authid.rolpassword`. */
export interface ScramVerifier {
  readonly iterations: number
  readonly salt: Buffer
  /** Checks what a client proves. */
  readonly storedKey: Buffer
  /** Signs what the server proves. */
  readonly serverKey: Buffer
}

/** What a password stands for, once salted. The client's key is as secret as the password. */
export interface ScramKeys {
  readonly clientKey: Buffer
  readonly serverKey: Buffer
}

/** How a verifier is made. */
export interface VerifierOptions {
  /** @defaultValue 16 random bytes */
  readonly salt?: Buffer | undefined
  /** @defaultValue {@link DEFAULT_SCRAM_ITERATIONS} */
  readonly iterations?: number | undefined
}

const pbkdf2Async = promisify(pbkdf2)

/** Makes a verifier. Blocks the thread for the time of the key derivation, some milliseconds. */
export function deriveVerifier(password: string, options: VerifierOptions = {}): ScramVerifier {
  const { salt = randomBytes(SALT_BYTES), iterations = DEFAULT_SCRAM_ITERATIONS } = options
  const saltedPassword = pbkdf2Sync(saslPrep(password), salt, iterations, SCRAM_KEY_BYTES, 'sha256')
  const { clientKey, serverKey } = scramKeys(saltedPassword)
  return { iterations, salt, storedKey: sha256(clientKey), serverKey }
}

/** Writes a verifier as Postgres stores it. */
export function formatVerifier(verifier: ScramVerifier): string {
  const { iterations, salt, storedKey, serverKey } = verifier
  const keys = `${storedKey.toString('base64')}:${serverKey.toString('base64')}`
  return `${SCRAM_SHA_256}$${iterations}:${salt.toString('base64')}$${keys}`
}

/** Reads a verifier as Postgres stores it; `undefined` when the text is something else. */
export function parseVerifier(text: string): ScramVerifier | undefined {
  const [, digits, ...fields] = VERIFIER.exec(text) ?? []
  const iterations = Number(digits)
  const [salt, storedKey, serverKey] = fields.map(decodeBase64)
  if (digits === undefined || iterations > MAX_VERIFIER_ITERATIONS || salt === undefined) {
    return undefined
  }
  if (storedKey?.length !== SCRAM_KEY_BYTES || serverKey?.length !== SCRAM_KEY_BYTES) {
    return undefined
  }
  return { iterations, salt, storedKey, serverKey }
}

/** Tells whether a plain password is the verifier's. Blocks as {@link deriveVerifier} does. */
export function verifyPassword(verifier: ScramVerifier, password: string): boolean {
  const { storedKey } = deriveVerifier(password, verifier)
  return timingSafeEqual(storedKey, verifier.storedKey)
}

/** Stretches a password off the main thread. */
export function saltPassword(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return pbkdf2Async(saslPrep(password), salt, iterations, SCRAM_KEY_BYTES, 'sha256')
}

/** The two keys that a salted password stands for. */
export function scramKeys(saltedPassword: Buffer): ScramKeys {
  return {
    clientKey: hmac(saltedPassword, 'Client Key'),
    serverKey: hmac(saltedPassword, 'Server Key'),
  }
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}

/** Both of {@link SCRAM_KEY_BYTES}. */
export function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] as number)))
}

/** Strict, unlike Buffer's own: `undefined` for anything but the canonical spelling of some bytes. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined
}
