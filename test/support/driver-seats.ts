import t, { type Test } from 'tap'
import { type Disturbers, startDisturbers } from './disturbers.ts'
import type { PostgresServer } from './postgres.ts'
import type { PostgresMajor } from './postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from './proxy.ts'
import { saasSettings, startSaas } from './saas.ts'

/**
 * A place from which a driver is tested: a tenant, behind a proxy of one pool mode, over one
 * Postgres. Its pool has two server connections, which `disturbers` use as well. So a test may
 * have two sessions at a time where sessions keep theirs (session mode, pins), and must end them.
 */
export interface Seat {
  readonly major: PostgresMajor
  readonly mode: 'transaction' | 'session'
  readonly strategy: 'database' | 'schema' | 'row'
  /** Its `items` table shows one row, `(1, <tenant>)`. It may create tables; `items` stays as is. */
  readonly tenant: string
  readonly host: string
  readonly port: number
  /** The login without a tenant, for idioms that name it elsewhere. */
  readonly login: string
  /** The login with the tenant, such as `app.acme`. */
  readonly user: string
  readonly password: string
  /** Any name would do: the tenant decides on the database. */
  readonly database: string
  readonly proxy: TestProxy
  readonly server: PostgresServer
  readonly disturbers: Disturbers
}

export interface SeatOptions {
  /** @defaultValue both */
  readonly majors?: readonly PostgresMajor[]
  /** Settings of the proxy besides `pool`, such as `listen` with TLS. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** How long a client waits for a server connection, where a test takes too many of them. */
const WAIT_MS = 10_000
/** Longer than a client waits for a server connection: that gives the better message. */
const CHECK_TIMEOUT_MS = 15_000

const TENANTS = [
  // Two server connections take two disturbers; umbrella has a pool of its own.
  { strategy: 'database', tenant: 'acme', disturbing: ['acme', 'acme', 'umbrella'] },
  { strategy: 'schema', tenant: 'globex', disturbing: ['globex', 'hooli'] },
  { strategy: 'row', tenant: 'initech', disturbing: ['initech', 'initrode'] },
] as const

/** Runs a suite from twelve seats: every major, pool mode and strategy, each as a subtest. */
export async function fromEverySeat(
  suite: (t: Test, seat: Seat) => Promise<void>,
  { majors = [15, 18], settings = {} }: SeatOptions = {},
): Promise<void> {
  for (const major of majors) {
    await t.test(`on Postgres ${major}`, async (t) => {
      const server = await startSaas(major)
      t.teardown(() => server.stop())
      for (const mode of ['transaction', 'session'] as const) {
        const fixed = { timeouts: { waitMs: WAIT_MS }, ...settings, pool: { mode, size: 2 } }
        const proxy = await startTestProxy(saasSettings(server, fixed))
        t.teardown(() => proxy.stop())
        for (const { disturbing, ...tenant } of TENANTS) {
          await t.test(`${mode} mode, ${tenant.strategy} tenant`, async (t) => {
            const disturbers = await startDisturbers({ proxy, mode, tenants: disturbing })
            t.teardown(() => disturbers.end())
            const place = { major, mode, ...tenant, proxy, server, disturbers }
            await suite(t, { ...place, ...connectionData(place) })
          })
        }
      }
    })
  }
}

/** Runs checks from one seat, one after the other, each as a subtest of its name. */
export async function runChecks(
  t: Test,
  seat: Seat,
  checks: Readonly<Record<string, (t: Test, seat: Seat) => Promise<void>>>,
): Promise<void> {
  for (const [name, check] of Object.entries(checks)) {
    const result = await t.test(name, { timeout: CHECK_TIMEOUT_MS }, (t) => check(t, seat))
    await (result?.ok ? seat.disturbers.letGo() : seat.disturbers.restart())
  }
}

/**
 * Runs `step`, which returns `pg_backend_pid()`, several times while server connections change
 * hands: in transaction mode each run has another one than the run before, which others used in
 * between; in session mode all have the same. No lease may be held between the steps.
 */
export async function acrossServers(
  t: Test,
  { mode, disturbers }: Seat,
  step: () => Promise<number>,
): Promise<void> {
  const pids: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const pid = await step()
    pids.push(pid)
    await disturbers.hold(pid)
  }
  await disturbers.letGo()
  const changes = pids.filter((pid, index) => index > 0 && pid !== pids[index - 1])
  const expected = mode === 'transaction' ? RUNS - 1 : 0
  t.equal(changes.length, expected, `server connections changed ${expected} times`)
}

/**
 * Runs `step`, which returns `pg_backend_pid()`, several times while others work, for a client
 * with state that can't be carried over: all runs have the same server connection.
 */
export async function onOneServer(
  t: Test,
  { disturbers }: Seat,
  step: () => Promise<number>,
): Promise<void> {
  const pids = new Set<number>()
  for (let run = 0; run < RUNS; run++) {
    pids.add(await step())
    await disturbers.disturb()
  }
  t.equal(pids.size, 1, 'the server connection stayed')
}

const RUNS = 3

function connectionData({ proxy, tenant }: Pick<Seat, 'proxy' | 'tenant'>) {
  return {
    host: '127.0.0.1',
    port: proxy.port,
    login: 'app',
    user: `app.${tenant}`,
    password: PASSWORD,
    database: 'app',
  }
}
