import { z } from 'zod'
import { fields } from '../catalog/documents/fields.ts'

const { nonEmpty, identifier, count, port } = fields

/** The HTTP port for operators. */
export const admin = z.strictObject({
  host: nonEmpty
    .default('127.0.0.1')
    .describe(
      'Address of metrics, health and drain. Whoever reaches it may read all of that without a password.',
    ),
  port: port.default(9127).describe('TCP port of metrics, health and drain.'),
  token: nonEmpty
    .optional()
    .describe(
      'What a request that changes something has to bear, as `Authorization: Bearer`. Without it, and without `admin.tokenFile`, such requests are refused.',
    ),
  tokenFile: nonEmpty
    .optional()
    .describe(
      'File that is given a random token at each start, for its owner alone to read, where `admin.token` is not set. `pgusher drain` finds it there.',
    ),
})

const consoleLogin = z.strictObject({
  user: identifier.describe('Name that the operator gives.'),
  password: nonEmpty.describe(
    'A plain password, a SCRAM verifier (`SCRAM-SHA-256$…`) or `md5` and 32 hex digits.',
  ),
  role: z
    .enum(['admin', 'stats'])
    .describe('`stats` may look at everything; `admin` may also change things.'),
})

/** The console for operators, over the Postgres protocol. */
export const consoleGroup = z.strictObject({
  database: identifier
    .default('pgusher')
    .describe('Database that clients name to reach the console, once it has logins.'),
  logins: z
    .array(consoleLogin)
    .default([])
    .describe('Who may use the console; these logins lead to no tenant.'),
  maxClients: count
    .min(1)
    .default(10)
    .describe('Most clients of the console, beyond `limits.maxClients`.'),
})

/** What is counted. */
export const metrics = z.strictObject({
  tenantLabels: count
    .max(10_000)
    .default(20)
    .describe(
      'Tenants that have a `tenant` label of their own, the busiest; all others count together as `other`.',
    ),
  maxTenants: count
    .min(1)
    .default(10_000)
    .describe(
      'Tenants whose work is counted one by one; beyond it, those without a session for the longest time are forgotten first.',
    ),
})

/** What is told, and from which weight on. */
export const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least weight of a line that is logged.'),
  sql: z
    .boolean()
    .default(false)
    .describe(
      'Whether lines about a statement show its text, which may hold what customers have typed.',
    ),
})
