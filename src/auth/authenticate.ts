import type { Resolution } from '../catalog/catalog.ts'
import type { AuthMethod, LoginSecret } from '../catalog/login.ts'
import type { Route } from '../catalog/route.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { AuthAnswer } from './auth-answer.ts'
import type { AuthChannel, ClientCertificate } from './auth-channel.ts'
import {
  AuthenticationFailedError,
  type AuthFailureReason,
  AuthMethodRefusedError,
} from './auth-errors.ts'
import type { AuthQueries } from './auth-queries.ts'
import type { ClientProof } from './client-proof.ts'
import type { ChannelBinding, Exchange } from './exchange.ts'
import { exchangeMd5, exchangePassword } from './password-exchange.ts'
import { exchangeScram } from './scram-exchange.ts'

/** Settings of every authentication. */
export interface AuthOptions {
  readonly method: AuthMethod
  readonly channelBinding: ChannelBinding
}

/** A client that asks to be let in. */
export interface AuthRequest {
  readonly channel: AuthChannel
  readonly options: AuthOptions
  /** As the client gave it, tag stripped. */
  readonly login: string
  readonly tenant: TenantName
  readonly resolution: Resolution
  /** Looks up the secrets that are not in the catalog. */
  readonly secrets: Pick<AuthQueries, 'find' | 'doubt'>
}

/** A client that has a right to its route. */
export interface Authenticated {
  readonly route: Route
  readonly proof: ClientProof
}

/**
 * Asks the client for proof and hands out the route that it has a right to. All failures look
 * alike from outside: the same messages, about the same work, the same error.
 * AuthenticationOk is left to the caller, and so are suspended tenants.
 *
 * @throws AuthenticationFailedError - wrong password or certificate, or a refused resolution.
 * @throws AuthMethodRefusedError - the method is not safe, or can't work, on this connection.
 * @throws AuthQueryFailedError - the server that knows the secret could not be asked.
 * @throws ProtocolViolationError, ChannelBindingError - the client's messages make no sense.
 */
export async function authenticate(request: AuthRequest): Promise<Authenticated> {
  const { channel, login, resolution, options } = request
  requireSafeWay(channel, options.method)
  const { secret, lack } = await findSecret(request)
  const { channelBinding } = options
  const isWelcome = resolution.kind === 'route'
  const decoySeed = decoySeedOf(request)
  const exchange = { channel, login, decoySeed, secret, channelBinding, isWelcome }
  const proof = await EXCHANGES[options.method](exchange)
  if (resolution.kind === 'route' && proof !== undefined) return { route: resolution.route, proof }
  if (isAsked(request)) request.secrets.doubt(request)
  const reason = resolution.kind === 'refused' ? resolution.reason : lack
  throw new AuthenticationFailedError(login, reason ?? failureReason(options.method, secret))
}

/** An operator of the proxy itself, who asks for no tenant. */
export interface OperatorRequest {
  readonly channel: AuthChannel
  readonly options: AuthOptions
  readonly login: string
  /** `undefined` for a login that is not known. */
  readonly secret: LoginSecret | undefined
}

/**
 * As `authenticate`, for somebody whose login leads to no tenant. The right to come in is all that
 * is proved: it is not passed on to anybody.
 *
 * @throws the errors of `authenticate`, but for those of an `authQuery`.
 */
export async function authenticateOperator(request: OperatorRequest): Promise<void> {
  const { channel, options, login, secret } = request
  requireSafeWay(channel, options.method)
  const { channelBinding } = options
  const isWelcome = secret !== undefined
  const exchange = { channel, login, decoySeed: login, secret, channelBinding, isWelcome }
  const proof = await EXCHANGES[options.method](exchange)
  if (isWelcome && proof !== undefined) return
  const reason = isWelcome ? failureReason(options.method, secret) : 'unknownLogin'
  throw new AuthenticationFailedError(login, reason)
}

function requireSafeWay(channel: AuthChannel, method: AuthMethod): void {
  if (method === 'cert' && channel.clientCertificate === undefined) {
    const hint = 'Connect with TLS and a certificate for the user: sslmode, sslcert and sslkey.'
    throw new AuthMethodRefusedError(method, 'a valid client certificate', hint)
  }
  if (channel.isLoopback) return
  if (method === 'trust') throw new AuthMethodRefusedError(method, 'a local connection')
  if (method === 'password' && !channel.isEncrypted) {
    throw new AuthMethodRefusedError(method, 'an encrypted or a local connection')
  }
}

/** Each resolves to what the client has proved; `undefined` when it could not. */
const EXCHANGES: Readonly<
  Record<AuthMethod, (exchange: Exchange) => Promise<ClientProof | undefined>>
> = {
  'scram-sha-256': exchangeScram,
  md5: exchangeMd5,
  password: exchangePassword,
  cert: async ({ channel, login }) =>
    isCertificateOf(channel.clientCertificate, login) ? { kind: 'none' } : undefined,
  trust: async () => ({ kind: 'none' }),
}

/** The login is its common name, or else one of its DNS names. */
function isCertificateOf(certificate: ClientCertificate | undefined, login: string): boolean {
  if (certificate === undefined) return false
  return certificate.commonName === login || certificate.dnsNames.includes(login)
}

/** The kinds of secret that each method can check; none where it needs none. */
export const SUITABLE_SECRETS: Readonly<Record<AuthMethod, readonly LoginSecret['kind'][]>> = {
  'scram-sha-256': ['scram'],
  md5: ['md5'],
  password: ['scram', 'md5'],
  cert: [],
  trust: [],
}

async function findSecret(request: AuthRequest): Promise<Omit<AuthAnswer, 'validUntilMs'>> {
  if (isAsked(request)) return request.secrets.find(request)
  const { secret } = request.resolution
  return { secret: secret?.kind === 'authQuery' ? undefined : secret, lack: undefined }
}

/**
 * A login has the same secret for all tenants, known or not, where the catalog holds it; else each
 * tenant's server may have another.
 */
function decoySeedOf({ login, tenant, resolution }: AuthRequest): string {
  return resolution.secret?.kind === 'authQuery' ? `${tenant}\0${login}` : login
}

function isAsked({ resolution, options }: AuthRequest): boolean {
  const needsNone = SUITABLE_SECRETS[options.method].length === 0
  return resolution.secret?.kind === 'authQuery' && !needsNone
}

function failureReason(method: AuthMethod, secret: LoginSecret | undefined): AuthFailureReason {
  if (method === 'cert') return 'wrongCertificate'
  const isSuitable = secret !== undefined && SUITABLE_SECRETS[method].includes(secret.kind)
  return isSuitable ? 'wrongPassword' : 'unsuitableSecret'
}
