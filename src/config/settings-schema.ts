import { z } from 'zod'
import { parseTagPattern } from '../tenancy/tag-pattern.ts'
import { parseTenantName, type TenantName } from '../tenancy/tenant-name.ts'

/** The longest delay that a Node timer can keep, about 24.8 days. */
const MAX_TIMER_MS = 2_147_483_647

/** Says what a text must be and what to do; `issue-text.ts` prints both. */
function problem(error: string, remedy: string): { error: string; params: { remedy: string } } {
  return { error, params: { remedy } }
}

const nonEmpty = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'), {
    ...problem('holds a zero byte', 'Remove it: Postgres has no way to take it.'),
  })
const count = z.int().min(0).max(1_000_000)
const port = z.int().min(1).max(65_535)
const ms = z.int().min(0).max(MAX_TIMER_MS)
const poolMode = z.enum(['transaction', 'session'])
const poolSize = z.int().min(1).max(10_000)

/** A name of Postgres: longer ones would be cut silently, and two could become one. */
const identifier = nonEmpty.refine((text) => Buffer.byteLength(text) <= 63, {
  ...problem('is longer than the 63 bytes that Postgres keeps of a name', 'Shorten it.'),
})

const settingName = z
  .string()
  .refine((text) => /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*$/.test(text), {
    ...problem('is no name of a Postgres setting', 'Write it as in SHOW, such as app.tenant_id.'),
  })

const tenantName = z
  .string()
  .refine((text): text is TenantName => parseTenantName(text) !== undefined, {
    ...problem(
      'is no tenant name',
      'Use 1 to 63 of a-z, 0-9, _ and -, with a letter or digit at both ends.',
    ),
  })

const userPattern = z.string().refine((text) => parseTagPattern(text, 'user') !== undefined, {
  ...problem(
    'is no pattern for a user',
    'Write {user} and {tenant} once each, with a sign between them, such as {user}.{tenant}.',
  ),
})
const databasePattern = z
  .string()
  .refine((text) => parseTagPattern(text, 'database') !== undefined, {
    ...problem(
      'is no pattern for a database',
      'Write {tenant} once, and {database} at most once with a sign between them.',
    ),
  })

const authMethod = z.enum(['scram-sha-256', 'md5', 'password', 'trust'])

const listen = z.strictObject({
  host: nonEmpty.default('127.0.0.1').describe('Address that clients connect to.'),
  port: port.default(6432).describe('TCP port that clients connect to.'),
  backlog: z
    .int()
    .min(1)
    .max(65_535)
    .default(511)
    .describe('Connections that the system holds until they are accepted; it may allow fewer.'),
})

const admin = z.strictObject({
  host: nonEmpty
    .default('127.0.0.1')
    .describe(
      'Address of metrics, health and drain. Has no password: keep it on loopback or inside the pod.',
    ),
  port: port.default(9127).describe('TCP port of metrics, health and drain.'),
})

const auth = z.strictObject({
  method: authMethod
    .default('scram-sha-256')
    .describe(
      'How clients prove who they are. `md5` is for clients that do not name the tenant in the user, as the whole user goes into what they send. `trust` lets anybody in over loopback and unix sockets, and nobody elsewhere.',
    ),
})

const pool = z.strictObject({
  mode: poolMode
    .default('transaction')
    .describe(
      'How long a client keeps a server connection: for one transaction, or for its whole session.',
    ),
  size: poolSize.default(20).describe('Most server connections of one pool.'),
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
  drainMs: ms
    .default(25_000)
    .describe(
      'Time for running transactions after SIGTERM, in ms. Keep it below the grace period of the pod.',
    ),
  cancelMs: ms.min(1).default(5000).describe('Time to hand a cancel request to a server, in ms.'),
})

const limits = z.strictObject({
  maxClients: count.min(1).default(1000).describe('Most client connections.'),
  maxClientsPerTenant: count
    .default(0)
    .describe('Most client sessions of one tenant; 0 means no limit.'),
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

const tag = z.strictObject({
  parameter: z
    .boolean()
    .default(true)
    .describe(
      'Whether a startup parameter (`tenant=acme`, or `-c pgusher.tenant=acme` in `options`) may name the tenant.',
    ),
  user: z
    .union([userPattern, z.literal(false)])
    .default('{user}.{tenant}')
    .describe('Pattern by which the user names the tenant, or `false`.'),
  database: z
    .union([databasePattern, z.literal(false)])
    .default(false)
    .describe(
      'Pattern by which the database names the tenant, such as `{tenant}` or `{database}@{tenant}`, or `false`.',
    ),
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

const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least weight of a line that is logged.'),
})

/** The settings that stand alone, by group. The one place of their defaults and descriptions. */
export const settingGroups = {
  listen: listen.prefault({}),
  admin: admin.prefault({}),
  auth: auth.prefault({}),
  pool: pool.prefault({}),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  tenancy: tenancy.prefault({}),
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

/** Shapes that the settings of tenants, logins and servers share with the ones above. */
export const fields = {
  nonEmpty,
  identifier,
  settingName,
  tenantName,
  poolMode,
  poolSize,
  ms,
  count,
}
