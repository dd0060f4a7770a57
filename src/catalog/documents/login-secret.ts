import { randomBytes } from 'node:crypto'
import { md5Hash } from '../../wire/md5.ts'
import { deriveVerifier, hmac, parseVerifier } from '../../wire/scram/scram.ts'
import { ANY_USER, type AuthMethod, type LoginSecret, type SecretSource } from '../login.ts'
import type { Finding } from './problems.ts'
import type { LoginEntry } from './record-schema.ts'

const SALT_BYTES = 16
const SALT_KEY = randomBytes(32)

/** What decides which secrets will do. */
interface SecretSurroundings {
  readonly method: AuthMethod
  /** Whether any tenant of the login has an `authQuery`. */
  readonly canAsk: boolean
  /** A tenant whose server is shown what the login proves; `undefined` when there is none. */
  readonly passesOn: string | undefined
}

/** Reads what an entry of `logins` says, or what is wrong with it. */
export function readSecret(
  { user, password }: LoginEntry,
  { method, canAsk, passesOn }: SecretSurroundings,
): SecretSource | Finding {
  if (password === undefined) return secretOfNone(method, canAsk)
  if (user === ANY_USER) return sharedPassword()
  if (password.startsWith('SCRAM-SHA-256$')) return readVerifier(password, method)
  const [, hash] = /^md5([0-9a-f]{32})$/.exec(password) ?? []
  if (hash !== undefined) return readHash(hash, method)
  if (method === 'scram-sha-256' && passesOn !== undefined) return unfitPassword(passesOn)
  return method === 'md5'
    ? { kind: 'md5', hash: md5Hash(password, user) }
    : { kind: 'scram', verifier: deriveVerifier(password, { salt: saltOf(user, password) }) }
}

/** The same for the same password: a reload that leaves it alone must not look like a new one. */
function saltOf(user: string, password: string): Buffer {
  return hmac(SALT_KEY, JSON.stringify([user, password])).subarray(0, SALT_BYTES)
}

function secretOfNone(method: AuthMethod, canAsk: boolean): SecretSource | Finding {
  if (method === 'trust' || method === 'cert') return { kind: 'none' }
  if (canAsk) return { kind: 'authQuery' }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of references
  const remedy = "Add it, such as '${env:APP_PASSWORD}', or an authQuery to the login's tenants."
  return { message: 'is missing', remedy }
}

function sharedPassword(): Finding {
  const remedy = 'Remove it, and let an authQuery find the password of each user.'
  return { message: 'would be the same for every user, and prove none of them', remedy }
}

function unfitPassword(tenant: string): Finding {
  const message = `is a plain password; tenant ${tenant} has serverUser client, where only the server's own verifier fits`
  const remedy =
    'Copy the verifier from pg_authid.rolpassword, leave it to an authQuery, or add the login to users.'
  return { message, remedy }
}

function readVerifier(text: string, method: AuthMethod): LoginSecret | Finding {
  const verifier = parseVerifier(text)
  if (verifier === undefined) {
    const remedy = 'Copy it whole from pg_authid.rolpassword; its $ signs must not be expanded.'
    return { message: 'begins like a SCRAM verifier and is none', remedy }
  }
  if (method !== 'md5') return { kind: 'scram', verifier }
  const remedy = 'Set auth.method to scram-sha-256, or give the plain password or its md5 hash.'
  return { message: "is a SCRAM verifier, which auth.method md5 can't use", remedy }
}

function readHash(hash: string, method: AuthMethod): LoginSecret | Finding {
  if (method !== 'scram-sha-256') return { kind: 'md5', hash }
  const remedy = 'Give the plain password or a SCRAM verifier, or set auth.method to md5.'
  return { message: "is an md5 hash, which auth.method scram-sha-256 can't use", remedy }
}
