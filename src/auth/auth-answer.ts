import type { LoginSecret } from '../catalog/login.ts'
import { parseVerifier } from '../wire/scram/scram.ts'
import type { AuthFailureReason } from './auth-errors.ts'

/** What a server said of a login. */
export interface AuthAnswer {
  readonly secret: LoginSecret | undefined
  /** Why there is no secret; `undefined` when there is one. */
  readonly lack: AuthFailureReason | undefined
  /** When the secret ends to be valid, in ms since 1970. */
  readonly validUntilMs: number
}

/** The server has no such login, or none that can log in. */
export const UNKNOWN: AuthAnswer = lacking('unknownLogin')

/**
 * Reads the rows of an `authQuery`: user, secret, and, if there is a third column, the end of its
 * validity. `undefined` when that is not what they hold.
 */
export function readAnswer(
  rows: readonly (readonly unknown[])[],
  login: string,
): AuthAnswer | undefined {
  const [row, ...others] = rows
  if (row === undefined) return UNKNOWN
  const [user, text, validUntil] = row
  const validUntilMs = readTime(validUntil)
  if (others.length > 0 || row.length < 2 || Number.isNaN(validUntilMs)) return undefined
  // A query that compares names loosely must not let one login in as another.
  if (user !== login) return UNKNOWN
  const secret = readSecret(text)
  return secret === undefined
    ? lacking('unsuitableSecret')
    : { secret, lack: undefined, validUntilMs }
}

/** The answer as it holds at a time: a password that is past its end is no password. */
export function answerAt(answer: AuthAnswer, nowMs: number): AuthAnswer {
  return answer.validUntilMs > nowMs ? answer : lacking('passwordExpired')
}

function lacking(lack: AuthFailureReason): AuthAnswer {
  return { secret: undefined, lack, validUntilMs: Number.POSITIVE_INFINITY }
}

/** Both `infinity` of Postgres are numbers already. */
function readTime(value: unknown): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY
  if (typeof value === 'number') return value
  return value instanceof Date ? value.getTime() : Number.NaN
}

/** As `pg_authid.rolpassword` has it. */
function readSecret(text: unknown): LoginSecret | undefined {
  if (typeof text !== 'string') return undefined
  const [, hash] = /^md5([0-9a-f]{32})$/.exec(text) ?? []
  if (hash !== undefined) return { kind: 'md5', hash }
  const verifier = parseVerifier(text)
  return verifier && { kind: 'scram', verifier }
}
