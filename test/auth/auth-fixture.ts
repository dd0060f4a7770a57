import type { AuthAnswer } from '../../src/auth/auth-answer.ts'
import { type Authenticated, authenticate } from '../../src/auth/authenticate.ts'
import type { ChannelBinding } from '../../src/auth/exchange.ts'
import type { RefusalReason, Resolution } from '../../src/catalog/catalog.ts'
import type { AuthMethod, LoginSecret, SecretSource } from '../../src/catalog/login.ts'
import type { Route } from '../../src/catalog/route.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { md5Hash } from '../../src/wire/md5.ts'
import { deriveVerifier } from '../../src/wire/scram/scram.ts'
import { AuthClient, type AuthClientOptions } from '../support/auth-client.ts'

export const LOGIN = 'app'
export const RIGHT = 'correct horse'
export const WRONG = 'battery staple'

export const VERIFIER = deriveVerifier(RIGHT)
export const SCRAM_SECRET: LoginSecret = { kind: 'scram', verifier: VERIFIER }
export const MD5_SECRET: LoginSecret = { kind: 'md5', hash: md5Hash(RIGHT, LOGIN) }
export const NO_SECRET: LoginSecret = { kind: 'none' }
export const ASK = { kind: 'authQuery' } as const

export const ROUTE: Route = {
  tenant: 'acme' as TenantName,
  login: LOGIN,
  target: {
    host: '/tmp',
    port: 5432,
    database: 'acme',
    user: 'pool',
    password: undefined,
    tls: undefined,
  },
  serverUser: 'route',
  authQuery: undefined,
  tenancy: { strategy: 'database' },
  hasOwnLogin: false,
  isolation: 'sealed',
  role: undefined,
  settings: [],
  pool: { mode: 'transaction', size: 1, pins: 'allow', carriedSettings: [] },
  timeouts: { waitMs: 0, idleClientMs: 0, idleInTransactionMs: 0, queryMs: 0 },
  maxClients: 0,
  replication: { allowed: 'none', maxSessions: 0 },
  version: 1,
}

export function clientOf(options: Partial<AuthClientOptions> & { password: string }): AuthClient {
  return new AuthClient({ login: LOGIN, ...options })
}

export interface Attempt {
  readonly method: AuthMethod
  readonly resolution: Resolution
  readonly login?: string
  readonly channelBinding?: ChannelBinding
  /** What the server says when it is asked. */
  readonly answer?: AuthAnswer
  /** Told of each use. */
  readonly used?: string[]
}

export function prove(channel: AuthClient, attempt: Attempt): Promise<Authenticated> {
  const { method, resolution, login = LOGIN, channelBinding = 'prefer', used = [] } = attempt
  const secrets = {
    async find() {
      used.push('find')
      if (attempt.answer === undefined) throw new Error('nobody may be asked')
      return attempt.answer
    },
    doubt: () => void used.push('doubt'),
  }
  const options = { method, channelBinding }
  return authenticate({ channel, options, login, tenant: ROUTE.tenant, resolution, secrets })
}

export async function attempt(
  channel: AuthClient,
  method: AuthMethod,
  resolution: Resolution,
): Promise<Route> {
  const { route } = await prove(channel, { method, resolution })
  return route
}

export function allowed(secret: SecretSource): Resolution {
  return { kind: 'route', route: ROUTE, secret, isSuspended: false }
}

export function refused(reason: RefusalReason, secret: SecretSource | undefined): Resolution {
  return { kind: 'refused', reason, secret }
}

export function failureBecause(reason: string) {
  return {
    code: 'AUTHENTICATION_FAILED',
    sqlState: '28P01',
    origin: 'client',
    reason,
    clientMessage: `password authentication failed for user "${LOGIN}"`,
  }
}
