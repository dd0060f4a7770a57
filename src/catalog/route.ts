import type { IsolationLevel } from '../tenancy/isolation.ts'
import type { ReplicationPolicy } from '../tenancy/replication.ts'
import type { Setting, Tenancy } from '../tenancy/tenancy.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import type { ScramKeys } from '../wire/scram/scram.ts'

/** One Postgres login at one database: everything that a pool's connections have in common. */
export interface ServerTarget {
  /** Host name or address; a leading `/` means the directory of a unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** `undefined` when the server is expected to trust us. */
  readonly password: string | undefined
  /**
   * Answers a server's SCRAM question in place of the password, and no other question. Each fits
   * the one verifier that it was proven against.
   */
  readonly scramKeys?: ScramKeys | undefined
  /** `undefined`: never encrypted, as `sslmode=disable` asks and as unix sockets need. */
  readonly tls: ServerTls | undefined
}

/**
 * How connections to a server are encrypted, in the words of libpq. Its caches go by identity:
 * build one for many targets.
 *
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export interface ServerTls {
  /**
   * `allow`: plain, and encrypted where the server refuses that; `prefer`: encrypted, and plain
   * where the server refuses that or the handshake fails; the others: encrypted or not at all.
   */
  readonly mode: 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  /**
   * PEM of the authorities that vouch for the server's certificate. They are asked in every mode;
   * `undefined`: in `verify-full` those that Node.js knows, in the weaker modes nobody is asked.
   */
  readonly rootCertificates: string | undefined
  /** PEM of our own certificate, its chain behind it; `undefined` for none. */
  readonly certificate: string | undefined
  /** PEM of the private key of `certificate`. */
  readonly key: string | undefined
  /** Whether SCRAM is bound to the server's certificate; `require` accepts no other login. */
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  /** `direct` begins with TLS, which saves a round trip and needs Postgres 17. */
  readonly negotiation: 'postgres' | 'direct'
  /** The server's name is sent in the clear (SNI), unless it is an address. */
  readonly isNameSent: boolean
}

/**
 * Whom the server sees: the user of the route's target, or the client's login with what the client
 * proved.
 */
export type ServerUser = 'route' | 'client'

/** How the secrets of logins are asked from a server, over connections of its own. */
export interface AuthQuery {
  readonly target: ServerTarget
  /** Takes the login as `$1`. Columns: user, secret, and optionally the end of its validity. */
  readonly query: string
  /** How long an answer is used, in ms. */
  readonly cacheMs: number
  /** Longest wait for an answer, in ms. */
  readonly timeoutMs: number
  readonly maxConnections: number
}

export type PoolMode = 'transaction' | 'session'

/** How a tenant's sessions use their pool. */
export interface PoolPolicy {
  readonly mode: PoolMode
  /** Most server connections of the pool, idle and active together. For tenants that share a pool the server's own figure counts. */
  readonly size: number
  /**
   * What becomes of session state that can't follow a client in transaction mode: the client keeps
   * its server connection, or may not make it.
   */
  readonly pins: 'allow' | 'refuse'
  /** Settings that follow a client beside those that the server reports. */
  readonly carriedSettings: readonly string[]
}

/** How many connections one server may get from the pools of all tenants there. */
export interface ServerBudgetPolicy {
  /** Name of the shared server that says so. */
  readonly server: string
  readonly maxConnections: number
}

/** Time limits of one session, in ms; `0` means none. */
export interface SessionTimeouts {
  readonly waitMs: number
  readonly idleClientMs: number
  readonly idleInTransactionMs: number
  readonly queryMs: number
}

/** What the catalog resolves a (login, tenant) to. Frozen. */
export interface Route {
  readonly tenant: TenantName
  readonly login: string
  readonly target: ServerTarget
  /** `client`: the user and password of `target` are not for this session. */
  readonly serverUser: ServerUser
  /** Whether the user of `target` is for this tenant alone, though the database is shared. */
  readonly hasOwnLogin: boolean
  /** `undefined` when secrets stand in the catalog alone. */
  readonly authQuery: AuthQuery | undefined
  readonly tenancy: Tenancy
  readonly isolation: IsolationLevel
  /** Role taken by `SET ROLE` at link; `undefined` keeps the server login. */
  readonly role: string | undefined
  /** Settings of the tenant, put in force at link before the client's own. */
  readonly settings: readonly Setting[]
  readonly pool: PoolPolicy
  /** `undefined`: only the size of each pool counts. */
  readonly serverBudget?: ServerBudgetPolicy | undefined
  readonly timeouts: SessionTimeouts
  /** Most client sessions of the tenant in this process; `0` means no limit. */
  readonly maxClients: number
  readonly replication: ReplicationPolicy
  /** Another one with every change of the tenant's record, and a higher one. Of this process alone. */
  readonly version: number
}
