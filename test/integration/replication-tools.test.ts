import { access, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD } from '../support/proxy.ts'
import {
  type Replicating,
  startReplicatingProxy,
  startReplicatingSaas,
  untilQuiet,
} from '../support/replicating.ts'
import { startTool, type ToolRun } from '../support/replication-tool.ts'
import { until } from '../support/until.ts'

const ALLOWED = { acme: 'physical', umbrella: 'database' }
const TABLE = 'CREATE TABLE IF NOT EXISTS lines (id int PRIMARY KEY, line text)'

async function run(
  t: Test,
  tool: ToolRun,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const running = startTool(t, tool)
  const exitCode = await running.exitCode
  return { exitCode, output: running.output() }
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pgusher-test-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startReplicatingSaas(major)
    t.teardown(() => server.stop())
    const proxy = await startReplicatingProxy(server, ALLOWED)
    t.teardown(() => proxy.stop())
    const house = { proxy, server }
    await t.test('psql', (t) => psql(t, house))
    await t.test('pg_recvlogical', (t) => recvlogical(t, house))
    await t.test('a subscription', (t) => subscription(t, house))
    // These two take no server that is newer than themselves.
    if (major === 15) {
      await t.test('pg_receivewal', (t) => receivewal(t, house))
      await t.test('pg_basebackup', (t) => basebackup(t, house))
    }
  })
}

async function psql(t: Test, house: Replicating): Promise<void> {
  for (const [tenant, replication] of [
    ['umbrella', 'database'],
    ['acme', 'true'],
  ] as const) {
    const conninfo = `dbname=${tenant} replication=${replication}`
    const args = ['-XAt', '-c', 'IDENTIFY_SYSTEM', conninfo]
    const { exitCode, output } = await run(t, { ...house, tenant, program: 'psql', args })
    t.equal(exitCode, 0, output)
    const [row] = await sql(
      house.server,
      'postgres',
      'SELECT system_identifier AS id FROM pg_control_system()',
    )
    t.match(output, `${row?.['id']}|1|`, tenant)
  }
  const refused = await run(t, {
    ...house,
    tenant: 'umbrella',
    program: 'psql',
    args: ['-XAt', '-c', 'IDENTIFY_SYSTEM', 'dbname=x replication=1'],
  })
  t.equal(refused.exitCode, 2)
  t.match(refused.output, /physical replication is not allowed/)
}

async function recvlogical(t: Test, house: Replicating): Promise<void> {
  const client = { ...house, tenant: 'umbrella', program: 'pg_recvlogical' }
  const slot = ['--dbname=umbrella', '--slot=received']
  const made = await run(t, {
    ...client,
    args: [...slot, '--create-slot', '--plugin=test_decoding'],
  })
  t.equal(made.exitCode, 0, made.output)
  const stream = startTool(t, {
    ...client,
    args: [...slot, '--start', '--file=-', '--fsync-interval=0', '--status-interval=1'],
  })
  await sql(house.server, 'umbrella', `${TABLE}; INSERT INTO lines VALUES (1, 'seen')`)
  await sql(house.server, 'acme', `${TABLE}; INSERT INTO lines VALUES (1, 'not ours')`)
  await sql(house.server, 'umbrella', `INSERT INTO lines VALUES (2, 'seen as well')`)
  await until(() => stream.output().includes('seen as well'))
  t.match(stream.output(), `table public.lines: INSERT: id[integer]:1 line[text]:'seen'`)
  t.notMatch(stream.output(), 'not ours')
  stream.child.kill('SIGINT')
  t.equal(await stream.exitCode, 0, stream.output())
  await untilQuiet(house)
  const dropped = await run(t, { ...client, args: [...slot, '--drop-slot'] })
  t.equal(dropped.exitCode, 0, dropped.output)
  t.strictSame(await sql(house.server, 'postgres', 'SELECT 1 FROM pg_replication_slots'), [])
}

/** The server subscribes to itself, by way of the proxy: acme to what umbrella publishes. */
async function subscription(t: Test, house: Replicating): Promise<void> {
  const { proxy, server } = house
  const copy = 'SELECT line FROM lines WHERE id >= 10 ORDER BY id'
  await sql(server, 'acme', TABLE)
  await sql(server, 'umbrella', `${TABLE}; INSERT INTO lines VALUES (10, 'from the start')`)
  await sql(server, 'acme', 'TRUNCATE lines')
  await sql(
    server,
    'umbrella',
    'ALTER TABLE lines OWNER TO umbrella; CREATE PUBLICATION published FOR TABLE lines',
  )
  await sql(
    server,
    'umbrella',
    `SELECT pg_create_logical_replication_slot('subscribed', 'pgoutput')`,
  )
  const conninfo = `host=127.0.0.1 port=${proxy.port} user=app.umbrella password='${PASSWORD}' dbname=umbrella`
  // Within one cluster, the slot has to be there before: to make it would wait for this statement.
  await sql(
    server,
    'acme',
    `CREATE SUBSCRIPTION subscribed CONNECTION '${conninfo.replaceAll("'", "''")}' PUBLICATION published WITH (create_slot = false)`,
  )
  const lines = async () => (await sql(server, 'acme', copy)).map(({ line }) => line)
  await until(async () => (await lines()).includes('from the start'))
  await sql(server, 'umbrella', `INSERT INTO lines VALUES (11, 'and later')`)
  await until(async () => (await lines()).includes('and later'))
  t.strictSame(await lines(), ['from the start', 'and later'])
  t.ok((await proxy.metric('pgusher_sessions')) > 0, 'it came by way of the proxy')
  await sql(server, 'acme', 'DROP SUBSCRIPTION subscribed')
  t.strictSame(await sql(server, 'postgres', 'SELECT 1 FROM pg_replication_slots'), [])
  await untilQuiet(house)
}

async function receivewal(t: Test, house: Replicating): Promise<void> {
  const path = await folder(t)
  const args = ['-D', path, '--no-loop', '--synchronous']
  const tool = startTool(t, { ...house, tenant: 'acme', program: 'pg_receivewal', args })
  const [before] = await sql(
    house.server,
    'acme',
    'SELECT pg_walfile_name(pg_current_wal_lsn()) AS name',
  )
  const name = String(before?.['name'])
  await until(async () => (await readdir(path)).includes(`${name}.partial`))
  await sql(
    house.server,
    'acme',
    `SELECT pg_logical_emit_message(false, 'a', 'b'), pg_switch_wal()`,
  )
  await until(async () => (await readdir(path)).includes(name))
  tool.child.kill('SIGINT')
  t.equal(await tool.exitCode, 0, tool.output())
  await untilQuiet(house)
}

async function basebackup(t: Test, house: Replicating): Promise<void> {
  const path = join(await folder(t), 'backup')
  const args = ['-D', path, '-X', 'stream', '--checkpoint=fast', '--no-sync']
  const client = { ...house, program: 'pg_basebackup' }
  const { exitCode, output } = await run(t, { ...client, tenant: 'acme', args })
  t.equal(exitCode, 0, output)
  await access(join(path, 'backup_manifest'))
  t.match(await readdir(join(path, 'pg_wal')), [/^[0-9A-F]{24}$/], 'the log came beside it')
  const started = house.proxy.log().match(/"replication started"/g) ?? []
  t.ok(started.length >= 2, 'over a connection of its own')
  await untilQuiet(house)
  const again = ['-D', `${path}2`, '-X', 'stream']
  const refused = await run(t, { ...client, tenant: 'umbrella', args: again })
  t.equal(refused.exitCode, 1)
  t.match(refused.output, /not allowed/)
}
