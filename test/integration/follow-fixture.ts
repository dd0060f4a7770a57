import type { Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy, testConfig } from '../support/proxy.ts'
import { query, RawClient, type RawFrame, rows, sqlStates } from '../support/raw-client.ts'
import { saasSettings } from '../support/saas.ts'
import { until } from '../support/until.ts'

export type Entry = Readonly<Record<string, unknown>>

/** One test on a server that is there. */
export type Scene = (t: Test, server: PostgresServer) => Promise<void>

/** Longer than any test: what waits for it stays. */
export const LONG_MS = 60_000

/** A proxy whose file can be changed while it runs. */
export interface Town {
  readonly proxy: TestProxy
  readonly server: PostgresServer
  /** Reads the file anew: with these changes of tenants' entries by name, `undefined` drops one. */
  change(tenants: Readonly<Record<string, Entry | undefined>>, settings?: Entry): void
}

/** Opens a proxy over the tenants of `saasSettings`. */
export async function openTown(
  t: Test,
  server: PostgresServer,
  settings: Entry = {},
): Promise<Town> {
  // Nothing is found out by looking again: what a test sees was heard of.
  const first = saasSettings(server, { catalog: { ttlMs: 3_600_000 }, ...settings })
  const proxy = await startTestProxy(first)
  t.teardown(() => proxy.stop())
  return {
    proxy,
    server,
    change(tenants, more = {}) {
      const all = first['tenants'] as readonly Entry[]
      const entries = all.flatMap((entry) => {
        const name = String(entry['name'])
        if (!(name in tenants)) return [entry]
        return tenants[name] === undefined ? [] : [{ ...entry, ...tenants[name] }]
      })
      proxy.reload(testConfig({ ...first, ...more, tenants: entries }))
    },
  }
}

/** What makes each tenant of a strategy lie where another one's rows are. */
export function movesOf(server: PostgresServer) {
  return [
    {
      strategy: 'database',
      tenant: 'acme',
      other: 'umbrella',
      changes: {
        umbrella: undefined,
        acme: { databaseUrl: server.url('umbrella', { user: 'umbrella', password: 'umbrella' }) },
      },
    },
    {
      strategy: 'schema',
      tenant: 'globex',
      other: 'hooli',
      changes: { hooli: undefined, globex: { schema: 'tenant_hooli' } },
    },
    {
      strategy: 'row',
      tenant: 'initech',
      other: 'initrode',
      changes: { initrode: undefined, initech: { id: '43' } },
    },
  ] as const
}

export function logIn(
  { proxy }: Pick<Town, 'proxy'>,
  tenant: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD, parameters })
}

export async function ask(client: RawClient, text: string): Promise<readonly RawFrame[]> {
  return client.ask(query(text))
}

/** The rows of a query that must succeed. */
export async function run(client: RawClient, text: string): Promise<readonly string[]> {
  const frames = await ask(client, text)
  const errors = sqlStates(frames)
  if (errors.length > 0 || frames.at(-1)?.code !== 'Z') throw new Error(`${text}: ${errors}`)
  return rows(frames)
}

export async function ownerOf(client: RawClient): Promise<string | undefined> {
  return (await run(client, 'SELECT owner FROM items'))[0]
}

export async function backendOf(client: RawClient): Promise<string | undefined> {
  return (await run(client, 'SELECT pg_backend_pid()'))[0]
}

/** SQLSTATEs up to the end of the connection, which must come. */
export async function lastWords(client: RawClient): Promise<readonly (string | undefined)[]> {
  return sqlStates(await client.toEnd())
}

/** Whether a server process is there. */
export async function lives(
  { server }: Pick<Town, 'server'>,
  pid: string | undefined,
): Promise<boolean> {
  const found = await sql(server, 'postgres', `SELECT FROM pg_stat_activity WHERE pid = ${pid}`)
  return found.length > 0
}

/** Waits until no server process is in a database. */
export function untilEmpty(town: Pick<Town, 'server'>, database: string): Promise<void> {
  return until(async () => {
    const found = await sql(
      town.server,
      'postgres',
      `SELECT FROM pg_stat_activity WHERE datname = '${database}'`,
    )
    return found.length === 0
  }, 1_000)
}

/** A session of another tenant that has a temporary table, and how to see that nobody touched it. */
export async function bystander(town: Town, tenant: string): Promise<() => Promise<boolean>> {
  const client = await logIn(town, tenant)
  await run(client, 'CREATE TEMP TABLE kept AS SELECT 7 AS n')
  const pid = await backendOf(client)
  return async () => {
    const isSame = (await backendOf(client)) === pid
    const isKept = (await run(client, 'SELECT n FROM kept'))[0] === '7'
    await client.end()
    return isSame && isKept
  }
}

/** With it the file has another password for every login. */
export const OTHER_PASSWORD: Entry = {
  logins: [{ user: 'app', password: 'another', tenants: '*' }],
}

/** Processes that sleep for the test, among those of a server. */
export async function sleepers(server: PostgresServer): Promise<number> {
  const text = `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60%' AND state = 'active' AND pid <> pg_backend_pid()`
  return (await sql(server, 'postgres', text)).length
}
