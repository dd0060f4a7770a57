import { z } from 'zod'
import { fields, problem } from '../catalog/documents/fields.ts'
import { keyList } from './key-schema.ts'

const { nonEmpty, ms, count } = fields

const redisUrl = nonEmpty.refine((text) => /^rediss?:\/\/[^/]/.test(text), {
  ...problem('is no Redis URL', 'Write redis://user:password@host:port/0, or rediss:// for TLS.'),
})

const postgres = z.strictObject({
  url: nonEmpty
    .optional()
    .describe(
      'Database that holds the schema `pgusher`, or that `query` asks: `postgresql://user:password@host:port/database`. Reading is all that the login needs.',
    ),
  query: nonEmpty
    .refine((text) => /\$1(?!\d)/.test(text), {
      ...problem('does not ask for $1', 'Compare the name with $1, which stands for the tenant.'),
    })
    .optional()
    .describe(
      'Asked in place of the tables of `pgusher`, with the tenant as `$1`: at most one row, whose columns are named as the keys of a tenant, in snake_case or camelCase.',
    ),
  maxConnections: z.int().min(1).max(100).default(4).describe('Most connections that ask.'),
  timeoutMs: ms.min(1).default(2000).describe('Longest wait for an answer of Postgres, in ms.'),
})

const redis = z.strictObject({
  url: redisUrl.optional().describe('A single server: `redis://user:password@host:port/0`.'),
  cluster: z
    .array(redisUrl)
    .optional()
    .describe('Some nodes of a cluster, in place of `url`; the others are learned from them.'),
  sentinels: z
    .array(redisUrl)
    .optional()
    .describe('Sentinels, in place of `url`: they say which server is the master.'),
  sentinelMaster: nonEmpty.default('mymaster').describe('Name of the master at the sentinels.'),
  user: nonEmpty
    .optional()
    .describe('User at a server that sentinels name; with `url` and `cluster` it is in the URL.'),
  password: nonEmpty.optional().describe('Its password.'),
  ca: nonEmpty
    .optional()
    .describe('PEM file with the authorities that vouch for servers at `rediss://`.'),
  prefix: nonEmpty
    .default('pgusher:')
    .describe('Begins the name of every key. Catalogs that share a Redis need different ones.'),
  timeoutMs: ms.min(1).default(250).describe('Longest wait for an answer of Redis, in ms.'),
})

/** Where tenants and logins come from, beside the file. */
export const catalog = z.strictObject({
  postgres: postgres.prefault({}),
  redis: redis.prefault({}),
  ttlMs: ms
    .min(100)
    .default(30_000)
    .describe(
      'A record is asked for again after that time at the latest, in ms: so late a change is seen even if every message about it is lost.',
    ),
  negativeTtlMs: ms
    .min(1)
    .default(5000)
    .describe('How long it is remembered that there is no such tenant or login, in ms.'),
  maxStaleMs: ms
    .default(3_600_000)
    .describe(
      'How long the last known record serves while Postgres does not answer, in ms; at least `ttlMs`.',
    ),
  maxEntries: count
    .min(1)
    .default(10_000)
    .describe('Most tenants and logins in memory; the longest unused goes first.'),
  maxBytes: z
    .int()
    .min(1_048_576)
    .max(17_179_869_184)
    .default(67_108_864)
    .describe('Most bytes of them in memory.'),
  maxLookups: count
    .min(1)
    .default(1000)
    .describe('Most names that are looked up at a time; more are refused with 57P03.'),
  breakerFailures: count
    .min(1)
    .default(5)
    .describe('Failures in a row after which Redis, or Postgres, is left alone for a while.'),
  breakerMinMs: ms.min(1).default(250).describe('The first such while, in ms; it doubles.'),
  breakerMaxMs: ms.min(1).default(10_000).describe('The longest such while, in ms.'),
  keys: keyList('Name of the key; it stands in every envelope that the key seals.').describe(
    'Keys that open sealed passwords; the first one seals.',
  ),
})
