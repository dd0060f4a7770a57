import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Resolution } from '../catalog/catalog.ts'
import type { LoginSecret } from '../catalog/login.ts'
import type { Route } from '../catalog/route.ts'
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
} from '../wire/backend-messages.ts'
import { md5Hash, md5Response } from '../wire/md5.ts'
import { readPassword, readSaslInitialResponse } from '../wire/message-fields.ts'
import {
  SCRAM_SHA_256,
  type ScramVerifier,
  saltPassword,
  scramKeys,
  sha256,
} from '../wire/scram.ts'
import { ScramServer } from '../wire/scram-server.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import {
  AuthenticationFailedError,
  type AuthFailureReason,
  AuthMethodRefusedError,
} from './auth-errors.ts'
import { decoyMd5Hash, decoyVerifier } from './decoy-secret.ts'

/** What auth/ needs of a client's connection; session/ implements it. */
export interface AuthChannel {
  send(bytes: Buffer): void
  /** Body of the next 'p' message. */
  receivePassword(): Promise<Buffer>
  /** True for a loopback address or a unix socket. */
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
}

/** How clients prove who they are. `password` and `trust` are refused where they aren't safe. */
export type AuthMethod = 'scram-sha-256' | 'md5' | 'password' | 'trust'

/** A client that asks to be let in. */
export interface AuthRequest {
  readonly channel: AuthChannel
  readonly method: AuthMethod
  /** As the client gave it, tag stripped. */
  readonly login: string
  readonly resolution: Resolution
}

/**
 * Asks the client for proof and hands out the route that it has a right to. All failures look
 * alike from outside: the same messages, about the same work, the same error.
 * AuthenticationOk is left to the caller, and so are suspended tenants.
 *
 * @throws AuthenticationFailedError - wrong password, or a refused resolution.
 * @throws AuthMethodRefusedError - the method is not safe on this connection.
 * @throws ProtocolViolationError - the client's messages make no sense.
 */
export async function authenticate(request: AuthRequest): Promise<Route> {
  const { channel, method, login, resolution } = request
  requireSafeWay(channel, method)
  const isProven = await EXCHANGES[method](request)
  if (resolution.kind === 'refused') throw new AuthenticationFailedError(login, resolution.reason)
  if (!isProven) {
    throw new AuthenticationFailedError(login, failureReason(method, resolution.secret))
  }
  return resolution.route
}

function requireSafeWay(channel: AuthChannel, method: AuthMethod): void {
  if (channel.isLoopback) return
  if (method === 'trust') throw new AuthMethodRefusedError(method, 'a local connection')
  if (method === 'password' && !channel.isEncrypted) {
    throw new AuthMethodRefusedError(method, 'an encrypted or a local connection')
  }
}

/** Each resolves to whether the client knows the login's secret. */
const EXCHANGES: Readonly<Record<AuthMethod, (request: AuthRequest) => Promise<boolean>>> = {
  'scram-sha-256': exchangeScram,
  md5: exchangeMd5,
  password: exchangePassword,
  trust: async () => true,
}

async function exchangeScram({ channel, login, resolution }: AuthRequest): Promise<boolean> {
  const { secret } = resolution
  const isReal = secret?.kind === 'scram'
  // Made for real logins too, so that its making can't be measured.
  const decoy = decoyVerifier(login)
  const scram = new ScramServer(isReal ? secret.verifier : decoy)
  channel.send(authenticationSasl([SCRAM_SHA_256]))
  const initial = readSaslInitialResponse(await channel.receivePassword())
  if (initial.mechanism !== SCRAM_SHA_256) {
    throw new ProtocolViolationError('the client chose a SASL mechanism that was not offered')
  }
  channel.send(authenticationSaslContinue(scram.start(initial.data)))
  const signature = scram.finish(await channel.receivePassword())
  if (!isReal || signature === undefined) return false
  // A client that is refused all the same must not learn that its password was right.
  if (resolution.kind === 'route') channel.send(authenticationSaslFinal(signature))
  return true
}

async function exchangeMd5({ channel, login, resolution }: AuthRequest): Promise<boolean> {
  const { secret } = resolution
  const isReal = secret?.kind === 'md5'
  const salt = randomBytes(4)
  channel.send(authenticationMd5Password(salt))
  const given = readPassword(await channel.receivePassword())
  const decoy = decoyMd5Hash(login)
  const due = md5Response(isReal ? secret.hash : decoy, salt)
  return isSameText(given, due) && isReal
}

async function exchangePassword({ channel, login, resolution }: AuthRequest): Promise<boolean> {
  const { secret } = resolution
  channel.send(authenticationCleartextPassword())
  const password = readPassword(await channel.receivePassword())
  // The slow check runs for every kind of secret: its absence could be measured.
  const decoy = decoyVerifier(login)
  const fitsVerifier = await fits(secret?.kind === 'scram' ? secret.verifier : decoy, password)
  const decoyHash = decoyMd5Hash(login)
  const hash = secret?.kind === 'md5' ? secret.hash : decoyHash
  const fitsHash = isSameText(md5Hash(password, login), hash)
  if (secret?.kind === 'scram') return fitsVerifier
  return secret?.kind === 'md5' && fitsHash
}

/** Off the event loop, which a flood of logins would otherwise stop for everybody. */
async function fits(verifier: ScramVerifier, password: string): Promise<boolean> {
  const { salt, iterations, storedKey } = verifier
  const { clientKey } = scramKeys(await saltPassword(password, salt, iterations))
  return timingSafeEqual(sha256(clientKey), storedKey)
}

function isSameText(given: string, due: string): boolean {
  const givenBytes = Buffer.from(given)
  const dueBytes = Buffer.from(due)
  return givenBytes.length === dueBytes.length && timingSafeEqual(givenBytes, dueBytes)
}

/** The kinds of secret that each method can check. */
const SUITABLE_SECRETS: Readonly<Record<AuthMethod, readonly LoginSecret['kind'][]>> = {
  'scram-sha-256': ['scram'],
  md5: ['md5'],
  password: ['scram', 'md5'],
  trust: ['scram', 'md5', 'none'],
}

function failureReason(method: AuthMethod, secret: LoginSecret): AuthFailureReason {
  return SUITABLE_SECRETS[method].includes(secret.kind) ? 'wrongPassword' : 'unsuitableSecret'
}
