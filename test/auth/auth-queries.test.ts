import t from 'tap'
import { AuthQueries, type SecretRequest } from '../../src/auth/auth-queries.ts'
import type { AuthQuery, Route } from '../../src/catalog/route.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'
import { ASK, LOGIN, ROUTE, refused } from './auth-fixture.ts'

const server = await startPostgres({ major: 15 })
t.teardown(() => server.stop())
await sql(
  server,
  'postgres',
  `CREATE TABLE logins (name text, secret text, until timestamptz);
  CREATE SEQUENCE asked;
  INSERT INTO logins VALUES ('app', 'md5${'0'.repeat(32)}', NULL)`,
)

/** Counts how often it is asked. */
const QUERY = `SELECT name, secret, until FROM public.logins
  WHERE name = $1 AND nextval('public.asked') > 0`

async function timesAsked(server: PostgresServer): Promise<number> {
  const [row] = await sql(
    server,
    'postgres',
    'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS count FROM asked',
  )
  return Number(row?.['count'])
}

interface Rig {
  readonly clock: FakeClock
  readonly queries: AuthQueries
  request(login?: string, version?: number): SecretRequest
}

function rig(changes: Partial<AuthQuery> = {}): Rig {
  const clock = new FakeClock()
  const { host, port, superuser: user } = server
  const target = { host, port, user, database: 'postgres', password: undefined, tls: undefined }
  const authQuery = {
    target,
    query: QUERY,
    cacheMs: 1000,
    timeoutMs: 5000,
    maxConnections: 2,
    ...changes,
  }
  return {
    clock,
    queries: new AuthQueries(clock),
    request(login = LOGIN, version = 1) {
      const route: Route = { ...ROUTE, authQuery, version }
      const resolution = { kind: 'route', route, secret: ASK, isSuspended: false } as const
      return { login, tenant: ROUTE.tenant, resolution }
    },
  }
}

t.test('an answer is used for its time', async (t) => {
  const { clock, queries, request } = rig()
  t.teardown(() => queries.close())
  const before = await timesAsked(server)
  const since = async () => (await timesAsked(server)) - before
  t.match(await queries.find(request()), { secret: { kind: 'md5' } })
  clock.advance(999)
  await queries.find(request())
  t.equal(await since(), 1)
  clock.advance(1)
  await queries.find(request())
  t.equal(await since(), 2)
  await queries.find(request(LOGIN, 2))
  t.equal(await since(), 3, 'a new version of the record has its own')
})

t.test('many at once ask once', async (t) => {
  const { queries, request } = rig()
  t.teardown(() => queries.close())
  const before = await timesAsked(server)
  const answers = await Promise.all(Array.from({ length: 50 }, () => queries.find(request())))
  t.equal(new Set(answers).size, 1)
  t.equal((await timesAsked(server)) - before, 1)
})

t.test('a doubted answer is asked for anew, but not at once', async (t) => {
  const { clock, queries, request } = rig()
  t.teardown(() => queries.close())
  queries.doubt(request())
  await queries.find(request())
  const before = await timesAsked(server)
  const since = async () => (await timesAsked(server)) - before
  queries.doubt(request())
  clock.advance(99)
  await queries.find(request())
  t.equal(await since(), 0)
  clock.advance(1)
  await queries.find(request())
  t.equal(await since(), 1)
})

t.test('an unknown login is remembered for a tenth of the time', async (t) => {
  const { clock, queries, request } = rig()
  t.teardown(() => queries.close())
  const known = async () => (await queries.find(request('later'))).secret !== undefined
  t.equal(await known(), false)
  await sql(server, 'postgres', `INSERT INTO logins SELECT 'later', secret FROM logins LIMIT 1`)
  clock.advance(99)
  t.equal(await known(), false)
  clock.advance(1)
  t.equal(await known(), true)
})

t.test('a refused request asks nobody, and takes as long', async (t) => {
  const { clock, queries } = rig()
  t.teardown(() => queries.close())
  const before = await timesAsked(server)
  const resolution = refused('unknownTenant', ASK)
  const pending = queries.find({ login: LOGIN, tenant: ROUTE.tenant, resolution })
  t.equal(clock.pending, 1)
  clock.advance(0)
  t.match(await pending, { secret: undefined, lack: 'unknownLogin' })
  t.equal(await timesAsked(server), before)
})

t.test('a refused request takes what a real one typically does', async (t) => {
  const { clock, queries, request } = rig()
  t.teardown(() => queries.close())
  const real = queries.find(request())
  clock.advance(40)
  await real
  const tenant = ROUTE.tenant
  const pretended = { login: 'any', tenant, resolution: refused('unknownTenant', ASK) }
  let isAnswered = false
  const answered = queries.find(pretended).then(() => {
    isAnswered = true
  })
  clock.advance(39)
  await new Promise(setImmediate)
  t.equal(isAnswered, false)
  clock.advance(1)
  await answered
  await queries.find(pretended)
  t.equal(clock.pending, 1, 'remembered: only the timer of the idle connection is left')
})

t.test('what is remembered is bounded', async (t) => {
  const { clock, queries } = rig()
  t.teardown(() => queries.close())
  const resolution = refused('unknownLogin', ASK)
  for (let count = 0; count < 10_500; count += 100) {
    const pending = Array.from({ length: 100 }, (_, index) =>
      queries.find({ login: `stranger ${count + index}`, tenant: ROUTE.tenant, resolution }),
    )
    clock.advance(0)
    await Promise.all(pending)
  }
  t.equal(queries.answerCount, 10_000)
})

t.test('a failure is not remembered', async (t) => {
  const { queries, request } = rig({ query: 'SELECT $1, secret FROM public.missing' })
  t.teardown(() => queries.close())
  const failure = { code: 'AUTH_QUERY_FAILED', sqlState: '57P03', origin: 'server' }
  await t.rejects(queries.find(request()), failure)
  t.equal(queries.answerCount, 0)
  await sql(server, 'postgres', 'CREATE TABLE missing AS SELECT secret FROM logins LIMIT 1')
  t.match(await queries.find(request()), { secret: { kind: 'md5' } })
})

t.test('idle connections are closed', async (t) => {
  const { clock, queries, request } = rig()
  t.teardown(() => queries.close())
  await queries.find(request())
  const text = `SELECT FROM pg_stat_activity WHERE application_name = 'pgusher authQuery'`
  t.equal((await sql(server, 'postgres', text)).length, 1)
  clock.advance(60_000)
  await until(async () => (await sql(server, 'postgres', text)).length === 0)
  t.match(await queries.find(request()), { secret: { kind: 'md5' } }, 'a new one is opened')
})

t.test('after its end it asks nobody', async (t) => {
  const { queries, request } = rig()
  queries.close()
  await t.rejects(queries.find(request()), { code: 'AUTH_QUERY_FAILED' })
})
