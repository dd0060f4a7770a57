import type { Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import type { PostgresMajor } from '../support/postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  bind,
  describe,
  execute,
  parse,
  query,
  RawClient,
  type RawFrame,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

export type Protocol = 'simple' | 'extended'
export const PROTOCOLS: readonly Protocol[] = ['simple', 'extended']

/** Longer than any wait of a test, shorter than the test's own time limit. */
const WAIT_MS = 10_000

/** A proxy and the server behind it. */
export interface House {
  readonly proxy: TestProxy
  readonly server: PostgresServer
}

/** Runs `body` on both Postgres versions. */
export function onBoth(t: Test, body: (t: Test, server: PostgresServer) => Promise<void>): void {
  for (const major of [15, 18] as const satisfies readonly PostgresMajor[]) {
    t.test(`on Postgres ${major}`, async (t) => {
      const server = await startSaas(major)
      t.teardown(() => server.stop())
      await body(t, server)
    })
  }
}

/** A proxy in transaction mode, whose pools have one connection unless `settings` say otherwise. */
export async function open(
  t: Test,
  server: PostgresServer,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<House> {
  const proxy = await startTestProxy(
    saasSettings(server, { pool: { size: 1 }, timeouts: { waitMs: WAIT_MS }, ...settings }),
  )
  t.teardown(() => proxy.stop())
  return { proxy, server }
}

export function logIn(
  { proxy }: Pick<House, 'proxy'>,
  tenant: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<RawClient> {
  return RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD, parameters })
}

/** Sends one text without waiting for its replies. */
function send(client: RawClient, sql: string, protocol: Protocol = 'simple'): void {
  if (protocol === 'simple') client.send(query(sql))
  else client.send(parse('', sql), bind('', ''), describe('P', ''), execute(), sync)
}

/** Runs one text and returns all replies. */
export function ask(
  client: RawClient,
  sql: string,
  protocol: Protocol = 'simple',
): Promise<readonly RawFrame[]> {
  send(client, sql, protocol)
  return client.upTo('Z')
}

/** Runs one text that must succeed. Returns its rows, columns joined by a bar. */
export async function run(
  client: RawClient,
  sql: string,
  protocol: Protocol = 'simple',
): Promise<readonly string[]> {
  const frames = await ask(client, sql, protocol)
  const errors = sqlStates(frames)
  if (errors.length > 0 || frames.at(-1)?.code !== 'Z') throw new Error(`${sql}: ${errors}`)
  return rows(frames)
}

/** The rows of what was asked before. */
export async function nextRows(client: RawClient): Promise<readonly string[]> {
  return rows(await client.upTo('Z'))
}

/** SQLSTATEs of the errors that a text meets. */
export async function failures(
  client: RawClient,
  sql: string,
  protocol: Protocol = 'simple',
): Promise<readonly (string | undefined)[]> {
  return sqlStates(await ask(client, sql, protocol))
}

export const PID = 'SELECT pg_backend_pid()'

export async function backendOf(client: RawClient): Promise<number> {
  return Number((await run(client, PID))[0])
}

/** How often a client was pinned for a reason so far. */
export function pins({ proxy }: Pick<House, 'proxy'>, reason?: string): Promise<number> {
  return proxy.metric('pgusher_pins_total', reason === undefined ? {} : { reason })
}

/** Waits until so many clients wait for a server connection: somebody holds them all. */
export function untilWaiting({ proxy }: Pick<House, 'proxy'>, count: number): Promise<void> {
  return until(async () => (await proxy.metric('pgusher_pool_clients_waiting')) === count)
}

/** Server connections that were given up so far, for a reason. */
export function closed({ proxy }: Pick<House, 'proxy'>, reason?: string): Promise<number> {
  return proxy.metric('pgusher_server_closed_total', reason === undefined ? {} : { reason })
}

/** ParameterStatus values among the frames. */
export function reports(frames: readonly RawFrame[]): Readonly<Record<string, string>> {
  const pairs = frames
    .filter(({ code }) => code === 'S')
    .map(({ body }) => body.toString().split('\0').slice(0, 2))
  return Object.fromEntries(pairs)
}

export async function endAll(...clients: readonly RawClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.end()))
}

/**
 * What a session may hold beyond a transaction: each row of it is one thing. An advisory lock, a
 * channel, a statement by SQL, a temporary relation, a cursor, a setting of the session.
 */
export const LEFTOVERS = `
  SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
  UNION ALL SELECT 'channel ' || c FROM pg_listening_channels() c
  UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements WHERE from_sql
  UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
  UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE name <> ''
  UNION ALL SELECT 'setting ' || name || ' ' || setting FROM pg_settings WHERE name IN ('work_mem', 'enable_seqscan', 'statement_timeout', 'lock_timeout') AND source = 'session'
  UNION ALL SELECT 'custom ' || v FROM current_setting('my.secret', true) v WHERE v <> ''
  UNION ALL SELECT 'role ' || v FROM current_setting('role') v WHERE v <> 'none'`
