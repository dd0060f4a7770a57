import { z } from 'zod'
import { fields } from './fields.ts'

const {
  nonEmpty,
  identifier,
  settingName,
  tenantName,
  poolMode,
  poolSize,
  isolationLevel,
  pins,
  carriedSettings,
  ms,
  count,
} = fields

const password = nonEmpty.optional().describe('Its password; without one the server must trust us.')

const serverUsers = z.record(
  identifier,
  z.strictObject({ user: identifier.describe('Server user of that login.'), password }),
)

const serverLogin = z.strictObject({
  user: identifier.describe(
    '`schema` and `row`: server login of this tenant alone, in place of all that its entry of `servers` says of users; it has a pool of its own.',
  ),
  password,
})

const authQuery = z.strictObject({
  url: nonEmpty
    .optional()
    .describe(
      'Database and login that are asked: `postgresql://user:password@host:port/database`; else those of the tenant. The login must be allowed to read what `query` reads.',
    ),
  query: nonEmpty
    .refine((text) => /\$1(?!\d)/.test(text), {
      error: 'does not ask for $1',
      params: { remedy: 'Compare the user with $1, which stands for the login.' },
    })
    .default(
      'SELECT rolname, rolpassword, rolvaliduntil FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin',
    )
    .describe(
      'What is asked, with the login as `$1`: at most one row of user, secret and, if there is a third column, the time until which it is valid. `search_path` is `pg_catalog`: name schemas.',
    ),
  cacheMs: ms
    .default(30_000)
    .describe(
      'How long an answer is used, in ms; a tenth of it for a login that is not known or fails to log in. A changed password works after that time at the latest, and so long the old one does.',
    ),
  timeoutMs: ms.min(1).default(3000).describe('Longest wait for an answer, in ms.'),
  maxConnections: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('Most connections that ask, apart from all pools.'),
})

const serverUser = z.enum(['route', 'client'])

/** One entry of `logins`. */
export const loginSchema = z.strictObject({
  user: identifier.describe(
    "Name that the client gives, without the tenant; `'*'` stands for all that are not listed.",
  ),
  password: nonEmpty
    .optional()
    .describe(
      'A plain password, a SCRAM verifier (`SCRAM-SHA-256$…`) or `md5` and 32 hex digits. Without one the server is asked by `authQuery`; only `trust` and `cert` need neither.',
    ),
  tenants: z
    .union([z.literal('*'), z.array(z.string())])
    .describe("Tenants that the login may act for; `'*'` means all."),
})

/** One entry of `servers`. */
export const serverSchema = z.strictObject({
  url: nonEmpty.describe(
    'Database and login that the tenants share: `postgresql://user:password@host:port/database`.',
  ),
  pool: z
    .strictObject({
      size: poolSize
        .optional()
        .describe(
          'Most server connections that the tenants of this server share, for each server user; else `pool.size`.',
        ),
    })
    .optional(),
  maxConnections: poolSize
    .optional()
    .describe(
      'Most server connections to this server over all pools of its tenants; without it only the sizes of the pools count.',
    ),
  users: serverUsers.optional().describe('Server users by login, in place of the one in `url`.'),
  serverUser: serverUser
    .default('route')
    .describe(
      'Whom the server sees: `route`, the user of `url`; `client`, a user called as the login is, with what the client itself proved. An entry of `users` wins over both.',
    ),
  authQuery: authQuery.optional(),
  isolation: isolationOf(
    'In place of `isolation.level` for the tenants of this server, unless they say their own.',
  ),
})

/** One entry of `tenants`. Which keys go with which strategy is checked in `tenant-records.ts`. */
export const tenantSchema = z.strictObject({
  name: tenantName.describe(
    'The tag by which clients name the tenant. With a `*` in it, such as `eu-*`, the entry is a template for all tenants of such names, and `{tenant}` in its other keys stands for the name.',
  ),
  id: nonEmpty
    .optional()
    .describe(
      'Identity that stays when the name changes, and what `row` policies see; else the name.',
    ),
  status: z
    .enum(['active', 'suspended'])
    .default('active')
    .describe('Clients of a suspended tenant are refused after they logged in.'),
  strategy: z
    .enum(['database', 'schema', 'row'])
    .describe('How the tenant is kept apart from the others.'),
  databaseUrl: nonEmpty
    .optional()
    .describe('`database` only: `postgresql://user:password@host:port/database`.'),
  users: serverUsers
    .optional()
    .describe('`database` only: server users by login, in place of the one in `databaseUrl`.'),
  serverUser: serverUser
    .optional()
    .describe('`database` only: as `servers.<name>.serverUser`; else `route`.'),
  authQuery: authQuery.optional(),
  server: z.string().optional().describe('`schema` and `row` only: an entry of `servers`.'),
  serverLogin: serverLogin.optional(),
  schema: identifier
    .optional()
    .describe("`schema` only: the tenant's own schema; else `tenant_<name>`."),
  searchPath: z
    .array(identifier)
    .optional()
    .describe(
      "More schemas: for `schema`, searched after the tenant's own; for `row`, where the tables are, else `public`.",
    ),
  role: identifier
    .optional()
    .describe('Role that sessions of the tenant take; else the one that the server login has.'),
  replication: z
    .enum(['none', 'database', 'physical'])
    .default('none')
    .describe(
      '`database` only: replication connections that clients may open; `physical` streams the whole cluster, and includes `database`.',
    ),
  settings: z
    .record(settingName, z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe('Postgres settings that are in force for the tenant, by name.'),
  pool: z
    .strictObject({
      mode: poolMode.optional().describe('In place of `pool.mode`.'),
      size: poolSize
        .optional()
        .describe(
          '`database` only: in place of `pool.size`; with a `serverLogin`: of `pool.serverLoginSize`.',
        ),
      pins: pins.optional().describe('In place of `pool.pins`.'),
      carriedSettings: carriedSettings.optional().describe('In place of `pool.carriedSettings`.'),
    })
    .optional(),
  timeouts: z
    .strictObject({
      waitMs: ms.optional().describe('In place of `timeouts.waitMs`.'),
      idleClientMs: ms.optional().describe('In place of `timeouts.idleClientMs`.'),
      idleInTransactionMs: ms.optional().describe('In place of `timeouts.idleInTransactionMs`.'),
      queryMs: ms.optional().describe('In place of `timeouts.queryMs`.'),
    })
    .optional(),
  limits: z
    .strictObject({
      maxClients: count.optional().describe('In place of `limits.maxClientsPerTenant`.'),
      maxReplication: count.optional().describe('In place of `limits.maxReplicationPerTenant`.'),
    })
    .optional(),
  isolation: isolationOf(
    '`schema` and `row`: in place of `isolation.level` and that of the server; `database` tenants are always `sealed`.',
  ),
  labels: z.record(z.string(), z.string()).optional().describe('Notes of your own, by name.'),
})

function isolationOf(levelMeaning: string) {
  return z.strictObject({ level: isolationLevel.optional().describe(levelMeaning) }).optional()
}

/** An entry that is fit in itself; how it fits the others is checked later. */
export type LoginEntry = z.output<typeof loginSchema>
export type ServerEntry = z.output<typeof serverSchema>
export type TenantEntry = z.output<typeof tenantSchema>
