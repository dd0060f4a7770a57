import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import t from 'tap'
import { processEnvironment } from '../../src/config/sources/process-environment.ts'
import { type Backend, Balancer } from '../support/balancer.ts'
import { sql } from '../support/postgres.ts'
import { probePort } from '../support/postgres-cluster.ts'
import { PASSWORD, readMetric } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Served, servedSettings, serveReady } from '../support/served-proxy.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../src/main.js')
/** Far above the time in which the balancer notices. */
const TIMEOUTS = { drainDelayMs: 3000, drainMs: 60_000 }
const DEADLINE_MS = 60_000
const CLIENTS = 4

const server = await startSaas(15)
t.teardown(() => server.stop())
await sql(
  server,
  'acme',
  'CREATE TABLE visits (client int); CREATE TABLE orders (id text); GRANT ALL ON visits, orders TO acme',
)
const folder = await mkdtemp(join(tmpdir(), 'pgusher-rolling-'))
t.teardown(() => rm(folder, { recursive: true }))
const balancer = await Balancer.start()
t.teardown(() => balancer.stop())

interface Replica extends Backend {
  readonly served: Served
}

let replicas = 0

/** Starts one more proxy, and waits until clients are led there. */
async function startReplica(): Promise<Replica> {
  replicas += 1
  const admin = { port: await probePort(), tokenFile: join(folder, `token-${replicas}`) }
  const settings = saasSettings(server, { admin, timeouts: TIMEOUTS })
  const served = await serveReady(t, await servedSettings(settings, { admin }))
  const replica = { served, port: served.port, adminPort: admin.port }
  balancer.add(replica)
  await until(() => balancer.isReady(replica), DEADLINE_MS)
  return replica
}

/** Clients have come to it. */
function untilUsed({ adminPort }: Replica): Promise<void> {
  const opened = () => readMetric(adminPort, 'pgusher_sessions_opened_total')
  return until(async () => (await opened()) > 2 * CLIENTS, DEADLINE_MS)
}

/** Waits for the end that SIGTERM brings, and puts a new proxy in place of the old one. */
async function replace(replica: Replica): Promise<{ log: string; next: Replica }> {
  replica.served.child.kill('SIGTERM')
  const exitCode = await replica.served.exited
  if (exitCode !== 0) throw new Error(`pgusher serve ended with ${exitCode}`)
  balancer.remove(replica)
  const next = await startReplica()
  await untilUsed(next)
  return { log: replica.served.output(), next }
}

/** Work that goes on until it is told to end. */
interface Work<T> {
  /** Rejects when it fails, and never resolves. */
  readonly failed: Promise<never>
  stop(): Promise<T>
}

function keepOn<T>(step: () => Promise<void>, result: () => T): Work<T> {
  let isOver = false
  const over = (async () => {
    while (!isOver) await step()
  })()
  const failed = over.then(() => new Promise<never>(() => {}))
  // Whoever stops it hears of it as well.
  failed.catch(() => {})
  return {
    failed,
    async stop() {
      isOver = true
      await over
      return result()
    },
  }
}

/** pgbench, a connection for each transaction; resolves to how many it says were done. */
async function startPgbench(): Promise<Work<number>> {
  const script = join(folder, 'visit.sql')
  await writeFile(script, 'INSERT INTO visits VALUES (:client_id);\n')
  const env = { PATH: processEnvironment['PATH'], PGPASSWORD: PASSWORD, LC_ALL: 'C' }
  const login = ['-h', '127.0.0.1', '-p', String(balancer.port), '-U', 'app.acme']
  const work = ['-n', '-C', '-c', String(CLIENTS), '-t', '25', '-f', script]
  let processed = 0
  const step = async () => {
    const { stdout, stderr } = await run('pgbench', [...login, ...work, 'any'], { env })
    const [, done] = /transactions actually processed: (\d+)\/100$/m.exec(stdout) ?? []
    if (done === undefined || !/^number of failed transactions: 0 /m.test(stdout)) {
      throw new Error(`pgbench failed: ${stdout}${stderr}`)
    }
    processed += Number(done)
  }
  return keepOn(step, () => processed)
}

/** What an application with a pool has seen. */
interface Ledger {
  readonly acknowledged: string[]
  /** What was answered with an error, after how many statements of its transaction. */
  readonly failed: { readonly id: string; readonly done: number; readonly code: string }[]
  /** What connections that rested in the pool were told. */
  readonly told: string[]
}

/** An application whose connections last, and that asks anew where it is told 57P01. */
function startApplication(): Work<Ledger> {
  const pool = new pg.Pool({
    ...{ host: '127.0.0.1', port: balancer.port, user: 'app.acme', password: PASSWORD },
    max: CLIENTS,
  })
  const ledger: Ledger = { acknowledged: [], failed: [], told: [] }
  const codeOf = (error: unknown) => String((error as { code?: string }).code ?? error)
  pool.on('error', (error) => ledger.told.push(codeOf(error)))
  // While it is lent, nobody else listens.
  pool.on('connect', (client) => client.on('error', () => {}))
  let orders = 0
  const order = async (isTransaction: boolean) => {
    orders += 1
    const id = `order-${orders}`
    const client = await pool.connect()
    const insert = `INSERT INTO orders VALUES ('${id}')`
    let done = 0
    try {
      for (const statement of isTransaction ? ['BEGIN', insert, 'COMMIT'] : [insert]) {
        await client.query(statement)
        done += 1
      }
      ledger.acknowledged.push(id)
      client.release()
    } catch (error) {
      ledger.failed.push({ id, done, code: codeOf(error) })
      client.release(true)
    }
  }
  const workers = Array.from({ length: CLIENTS }, (_, at) =>
    keepOn(
      () => order(at % 2 === 0),
      () => {},
    ),
  )
  return {
    failed: Promise.race(workers.map(({ failed }) => failed)),
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()))
      await pool.end()
      return ledger
    },
  }
}

/** Twice by a signal, once by the command that a preStop hook runs; returns what each has logged. */
async function restartAll(first: Replica, second: Replica): Promise<readonly string[]> {
  await Promise.all([first, second].map(untilUsed))
  const one = await replace(first)
  const two = await replace(second)
  const { served } = one.next
  await run(process.execPath, [MAIN, 'drain', '--config', served.file])
  const three = await replace(one.next)
  return [one, two, three].map(({ log }) => log)
}

t.test('a rolling restart loses nothing', async (t) => {
  const [first, second] = [await startReplica(), await startReplica()]
  const pgbench = await startPgbench()
  const application = startApplication()
  const restarts = restartAll(first, second)
  const logs = await Promise.race([restarts, pgbench.failed, application.failed])

  const processed = await pgbench.stop()
  const { acknowledged, failed, told } = await application.stop()
  for (const log of logs) {
    const line = log.split('\n').find((line) => line.includes('"drained"')) ?? '{}'
    const drained = JSON.parse(line)
    t.equal(drained.outcome, 'complete')
    t.equal(drained.forced, 0)
    t.ok(drained.sentAway > 0, 'connections that last were ended')
  }

  const [visits] = await sql(server, 'acme', 'SELECT count(*)::int AS done FROM visits')
  t.ok(processed > 0)
  t.equal(visits?.['done'], processed, 'pgbench')

  const rows = await sql(server, 'acme', 'SELECT id FROM orders')
  const ids = rows.map(({ id }) => String(id))
  t.ok(acknowledged.length > 0)
  t.strictSame(ids.toSorted(), acknowledged.toSorted(), 'what was acknowledged, once, and no more')
  const unexplained = [...failed, ...told.map((code) => ({ code }))].filter(
    ({ code }) => code !== '57P01',
  )
  t.strictSame(unexplained, [])
  const within = failed.filter(({ done }) => done > 0)
  t.strictSame(within, [], 'nobody is sent away within a transaction')
  t.comment(`pgbench ${processed}, acknowledged ${acknowledged.length}, failed ${failed.length}`)
})
