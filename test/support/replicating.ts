import { type PostgresOptions, type PostgresServer, sql } from './postgres.ts'
import type { PostgresMajor } from './postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from './proxy.ts'
import { query, RawClient, type RawFrame, type RawLogin, rows } from './raw-client.ts'
import { saasSettings, startSaas } from './saas.ts'
import { until } from './until.ts'

/** What the two database tenants may replicate. */
export interface Allowed {
  readonly acme?: string
  readonly umbrella?: string
}

/** A proxy, and the server behind it. */
export interface Replicating {
  readonly proxy: TestProxy
  readonly server: PostgresServer
}

const SETTINGS = { wal_level: 'logical', max_wal_senders: '30', max_replication_slots: '30' }

/** The server of `startSaas`, whose database tenants' logins may replicate. */
export async function startReplicatingSaas(
  major: PostgresMajor,
  options: Omit<PostgresOptions, 'major'> = {},
): Promise<PostgresServer> {
  const settings = { ...SETTINGS, ...options.settings }
  const server = await startSaas(major, { ...options, settings })
  await sql(server, 'postgres', 'ALTER ROLE acme REPLICATION; ALTER ROLE umbrella REPLICATION')
  return server
}

/** @param more - Settings besides the tenants. */
export function startReplicatingProxy(
  server: PostgresServer,
  allowed: Allowed,
  more: Readonly<Record<string, unknown>> = {},
): Promise<TestProxy> {
  const settings = saasSettings(server, more)
  const tenants = (settings['tenants'] as { name: string }[]).map((tenant) => {
    const replication = allowed[tenant.name as keyof Allowed]
    return replication === undefined ? tenant : { ...tenant, replication }
  })
  return startTestProxy({ ...settings, tenants })
}

/** The startup of a client that replicates for a tenant. */
export function replicationLogin(
  tenant: string,
  replication: string,
  more: Readonly<Record<string, string>> = {},
): RawLogin {
  return {
    user: `app.${tenant}`,
    password: PASSWORD,
    parameters: { database: tenant, replication, ...more },
  }
}

/** Logs in with a connection of its own; the frames are those of the login. */
export async function replicate(
  proxy: TestProxy,
  login: RawLogin,
): Promise<{ readonly client: RawClient; readonly frames: readonly RawFrame[] }> {
  const client = await RawClient.connect(proxy.port)
  return { client, frames: await client.logIn(login) }
}

/** Makes a slot for the session's life, and begins to stream the changes of the database. */
export async function streamChanges(client: RawClient, slot: string): Promise<void> {
  await client.ask(query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL test_decoding`))
  client.send(query(`START_REPLICATION SLOT ${slot} LOGICAL 0/0`))
  await client.upTo('W')
}

/** Text of the next change that is streamed; keepalives are skipped. */
export async function nextChange(client: RawClient): Promise<string> {
  for (;;) {
    const frame = await client.next()
    if (frame === undefined) throw new Error('the stream ended')
    if (frame.code === 'd' && frame.body.toString('latin1', 0, 1) === 'w') {
      return frame.body.toString('utf8', 25)
    }
  }
}

/** The first column of the first row. */
export async function firstValue(client: RawClient, command: string): Promise<string | undefined> {
  return rows(await client.ask(query(command)))[0]?.split('|')[0]
}

/** Process ids of the replication connections that the server has. */
export async function walsenders(server: PostgresServer): Promise<readonly unknown[]> {
  const found = await sql(
    server,
    'postgres',
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'`,
  )
  return found.map(({ pid }) => pid)
}

/** Waits until the server has no replication connection, and the proxy no session. */
export async function untilQuiet({ proxy, server }: Replicating): Promise<void> {
  await until(async () => (await walsenders(server)).length === 0)
  await until(async () => (await proxy.metric('pgusher_sessions')) === 0)
}
