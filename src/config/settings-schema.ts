import { z } from 'zod'
import { fields, problem } from '../catalog/documents/fields.ts'
import { admin, consoleGroup, log, metrics } from './admin-schema.ts'
import { catalog } from './catalog-schema.ts'
import { listen, tag, tls } from './client-schema.ts'
import { isolation } from './isolation-schema.ts'

const { settingName, tenantName, poolMode, poolSize, pins, carriedSettings, ms, count } = fields

const authMethod = z.enum(['scram-sha-256', 'md5', 'password', 'cert', 'trust'])

const auth = z.strictObject({
  method: authMethod
    .default('scram-sha-256')
    .describe(
      'How clients prove who they are. `md5` is for clients that do not name the tenant in the user, as the whole user goes into what they send. `cert` asks for a TLS certificate whose common name or DNS name is the login. `trust` lets anybody in over loopback and unix sockets, and nobody elsewhere.',
    ),
  channelBinding: z
    .enum(['prefer', 'require', 'disable'])
    .default('prefer')
    .describe(
      'Whether SCRAM is bound to the TLS connection, so that nobody can stand in between: `prefer` offers it, `require` asks it of everybody, and so TLS.',
    ),
})

const pool = z.strictObject({
  mode: poolMode
    .default('transaction')
    .describe(
      'How long a client keeps a server connection: for one transaction, or for its whole session.',
    ),
  size: poolSize
    .default(20)
    .describe('Most server connections of one pool; each server user has a pool of its own.'),
  serverLoginSize: poolSize
    .default(2)
    .describe(
      'Most server connections of the pool of a tenant that has a `serverLogin`, in place of `size`: there are as many such pools as tenants.',
    ),
  maxConnecting: z
    .int()
    .min(1)
    .max(1000)
    .default(4)
    .describe('Logins to the server that one pool has under way at a time.'),
  connectTimeoutMs: ms
    .min(1)
    .default(5000)
    .describe('Time to connect and log in to a server, in ms.'),
  idleServerMs: ms
    .default(600_000)
    .describe('A server connection unused for so long is closed, in ms; 0 keeps it.'),
  serverLifetimeMs: ms
    .default(3_600_000)
    .describe('A server connection of this age is closed when it is free, in ms; 0 keeps it.'),
  lifetimeJitter: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      'Share of `serverLifetimeMs` by which each connection may live shorter, so that they do not all end at once.',
    ),
  maxPreparedStatements: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Prepared statements kept on one server connection; the longest unused goes first.'),
  maxPreparedBytes: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Bytes of their texts on one server connection; the longest unused goes first.'),
  pins: pins
    .default('allow')
    .describe(
      'Session state that cannot follow a client in transaction mode: `allow` lets the client keep its server connection for it, `refuse` answers with 0A000.',
    ),
  carriedSettings: carriedSettings
    .default([
      'bytea_output',
      'client_min_messages',
      'default_transaction_deferrable',
      'default_transaction_isolation',
      'default_transaction_read_only',
      'extra_float_digits',
      'idle_in_transaction_session_timeout',
      'lock_timeout',
      'search_path',
      'statement_timeout',
      'transaction_timeout',
    ])
    .describe(
      'Settings whose values follow a client from one server connection to the next, beside those that the server reports by itself. Never those that say whom the connection acts for.',
    ),
  backoffMinMs: ms
    .min(1)
    .default(100)
    .describe('First pause after a failed login to a server, in ms.'),
  backoffMaxMs: ms
    .min(1)
    .default(5000)
    .describe('Longest pause between failed logins to a server, in ms.'),
})

const timeouts = z.strictObject({
  startupMs: ms.min(1).default(10_000).describe('Time for a client to log in, in ms.'),
  waitMs: ms
    .default(30_000)
    .describe('Longest wait for a server connection, in ms; 0 means no limit.'),
  idleClientMs: ms
    .default(0)
    .describe('A client that asks nothing for so long is disconnected, in ms; 0 means never.'),
  idleInTransactionMs: ms
    .default(0)
    .describe(
      'A client that is idle inside a transaction for so long is disconnected, in ms; 0 means never.',
    ),
  queryMs: ms.default(0).describe('Longest time for one request, in ms; 0 means no limit.'),
  changeGraceMs: ms
    .default(10_000)
    .describe(
      'Time for what runs when its tenant is suspended or dropped, or its login loses the right or changes the password, in ms; also for clients that keep a server connection of a place that their tenant has left. 0 ends them at once.',
    ),
  drainDelayMs: ms
    .default(0)
    .describe(
      'Time between the word to drain and its beginning, in ms: not ready, but open to everybody, until those who lead clients here have noticed. 0 where nobody does, as in a sidecar.',
    ),
  drainMs: ms
    .default(25_000)
    .describe(
      'Time for running transactions once the drain begins, in ms. Keep it, with `timeouts.drainDelayMs`, below the grace period of the pod.',
    ),
  cancelMs: ms.min(1).default(5000).describe('Time to hand a cancel request to a server, in ms.'),
})

const limits = z.strictObject({
  maxClients: count.min(1).default(1000).describe('Most client connections.'),
  maxCancels: count
    .min(1)
    .default(100)
    .describe('Most client connections beyond `maxClients`; they may only cancel a query.'),
  maxClientsPerTenant: count
    .default(0)
    .describe('Most client sessions of one tenant; 0 means no limit.'),
  maxReplicationPerTenant: count
    .default(10)
    .describe(
      'Most replication connections of one tenant, each with a server connection of its own; 0 means no limit.',
    ),
  maxWaiting: count.default(1000).describe('Most clients that wait for one pool.'),
  requestBytes: z
    .int()
    .min(1024)
    .max(67_108_864)
    .default(65_536)
    .describe(
      'Bytes of an unfinished request that are held before a server connection is taken for it.',
    ),
  maxStatementBytes: z
    .int()
    .min(1024)
    .max(67_108_864)
    .default(1_048_576)
    .describe('Longest text of a named prepared statement, in bytes.'),
  maxPreparedPerClient: count
    .min(1)
    .default(1000)
    .describe('Most prepared statements of one client.'),
  maxPreparedBytesPerClient: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Most bytes of the texts of the prepared statements of one client.'),
  maxCarriedBytes: z
    .int()
    .min(0)
    .max(1_048_576)
    .default(4096)
    .describe(
      'Bytes of the settings that follow one client, names and values; one more pins the client.',
    ),
  loginFailures: count
    .min(1)
    .default(5)
    .describe(
      'Failed logins of one address for one tenant, after which the next ones are slowed down.',
    ),
  loginBackoffMaxMs: ms
    .default(10_000)
    .describe('Longest pause before a slowed-down login goes on, in ms.'),
})

const tenancy = z.strictObject({
  default: tenantName.optional().describe('Tenant of the clients that name none.'),
  tag: tag.prefault({}),
  setting: settingName
    .refine((text) => text.includes('.'), {
      ...problem('has no prefix', 'Put a prefix and a dot before it, such as app.tenant_id.'),
    })
    .default('app.tenant_id')
    .describe('Postgres setting that holds the id of a `row` tenant, for policies to read.'),
})

/** The settings that stand alone, by group. The one place of their defaults and descriptions. */
export const settingGroups = {
  listen: listen.prefault({}),
  tls: tls.prefault({}),
  admin: admin.prefault({}),
  console: consoleGroup.prefault({}),
  metrics: metrics.prefault({}),
  auth: auth.prefault({}),
  pool: pool.prefault({}),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  tenancy: tenancy.prefault({}),
  isolation: isolation.prefault({}),
  catalog: catalog.prefault({}),
  log: log.prefault({}),
} as const

/** The settings that stand alone, checked and with their defaults. */
export type SettingGroups = {
  readonly [Group in keyof typeof settingGroups]: DeepReadonly<
    z.output<(typeof settingGroups)[Group]>
  >
}

type DeepReadonly<Value> = Value extends string | number | boolean | undefined
  ? Value
  : { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
