import { z } from 'zod'
import { fields, settingGroups } from './settings-schema.ts'

const { nonEmpty, identifier, settingName, tenantName, poolMode, poolSize, ms, count } = fields

/** One entry of `logins`. */
export const loginSchema = z.strictObject({
  user: identifier.describe('Name that the client gives, without the tenant.'),
  password: nonEmpty
    .optional()
    .describe(
      'A plain password, a SCRAM verifier (`SCRAM-SHA-256$…`) or `md5` and 32 hex digits. Only `trust` does without.',
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
          'Most server connections that the tenants of this server share; else `pool.size`.',
        ),
    })
    .optional(),
})

/** One entry of `tenants`. Which keys go with which strategy is checked in `tenant-records.ts`. */
export const tenantSchema = z.strictObject({
  name: tenantName.describe('The tag by which clients name the tenant.'),
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
  server: z.string().optional().describe('`schema` and `row` only: an entry of `servers`.'),
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
  settings: z
    .record(settingName, z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe('Postgres settings that are in force for the tenant, by name.'),
  pool: z
    .strictObject({
      mode: poolMode.optional().describe('In place of `pool.mode`.'),
      size: poolSize.optional().describe('`database` only: in place of `pool.size`.'),
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
    })
    .optional(),
  labels: z.record(z.string(), z.string()).optional().describe('Notes of your own, by name.'),
})

/** An entry that is fit in itself; how it fits the others is checked later. */
export type LoginEntry = z.output<typeof loginSchema>
export type ServerEntry = z.output<typeof serverSchema>
export type TenantEntry = z.output<typeof tenantSchema>

/** The whole configuration, as people write it. */
export const configSchema = z.strictObject({
  ...settingGroups,
  logins: z.array(loginSchema).default([]).describe('Who may come in.'),
  servers: z
    .record(z.string(), serverSchema)
    .default({})
    .describe('Databases that `schema` and `row` tenants share, by name.'),
  tenants: z.array(tenantSchema).default([]).describe('The tenants.'),
})
