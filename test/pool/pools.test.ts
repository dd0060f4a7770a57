import t from 'tap'
import type { Route, ServerTls } from '../../src/catalog/route.ts'
import { blindPoolObserver } from '../../src/pool/pool-observer.ts'
import type { PoolOptions } from '../../src/pool/pool-options.ts'
import { Pools, poolKey } from '../../src/pool/pools.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Guest } from './pool-fixture.ts'

const OPTIONS: Omit<PoolOptions, 'size'> = {
  maxConnecting: 1,
  connectTimeoutMs: 1_000,
  idleServerMs: 0,
  serverLifetimeMs: 0,
  lifetimeJitter: 0,
  maxWaiting: 10,
  maxPreparedStatements: 10,
  maxPreparedBytes: 1_000_000,
  backoffMinMs: 100,
  backoffMaxMs: 1_000,
}
const TARGET = {
  host: 'db',
  port: 5432,
  database: 'saas',
  user: 'pool',
  password: 'open sesame',
  tls: undefined,
}
const TLS: ServerTls = {
  mode: 'prefer',
  rootCertificates: undefined,
  certificate: undefined,
  key: undefined,
  channelBinding: 'prefer',
  negotiation: 'postgres',
  isNameSent: true,
}
const ROUTE: Route = {
  tenant: 'acme' as TenantName,
  login: 'app',
  target: TARGET,
  serverUser: 'route',
  authQuery: undefined,
  tenancy: { strategy: 'schema', searchPath: ['acme'], setting: 'app.tenant_id' },
  hasOwnLogin: false,
  isolation: 'guarded',
  role: undefined,
  settings: [],
  pool: { mode: 'transaction', size: 2, pins: 'allow', carriedSettings: [] },
  timeouts: { waitMs: 0, idleClientMs: 0, idleInTransactionMs: 0, queryMs: 0 },
  maxClients: 0,
  replication: { allowed: 'none', maxSessions: 0 },
  version: 1,
}
const GLOBEX: Route = {
  ...ROUTE,
  tenant: 'globex' as TenantName,
  login: 'other',
  tenancy: { strategy: 'row', searchPath: ['public'], setting: 'app.tenant_id', value: '42' },
  settings: [{ name: 'timezone', value: 'UTC' }],
  version: 9,
}
const BUDGETED: Route = { ...ROUTE, serverBudget: { server: 'shared', maxConnections: 3 } }
const OWN: Route = { ...ROUTE, tenancy: { strategy: 'database' } }

function keys(client: string, server: string) {
  return { clientKey: Buffer.from(client), serverKey: Buffer.from(server) }
}

function rig(): Pools {
  return new Pools({
    options: () => OPTIONS,
    observer: blindPoolObserver,
    signer: () => undefined,
    clock: new FakeClock(),
  })
}

t.test('tenants of one server share a pool, whatever their strategy', async (t) => {
  t.equal(poolKey(ROUTE), poolKey(GLOBEX))
})

t.test('what makes a pool another one', async (t) => {
  const routes: readonly Route[] = [
    ROUTE,
    OWN,
    { ...OWN, tenant: 'globex' as TenantName },
    { ...OWN, settings: [{ name: 'timezone', value: 'UTC' }] },
    BUDGETED,
    { ...ROUTE, target: { ...TARGET, host: 'other' } },
    { ...ROUTE, target: { ...TARGET, port: 5433 } },
    { ...ROUTE, target: { ...TARGET, database: 'other' } },
    { ...ROUTE, target: { ...TARGET, user: 'other' } },
    { ...ROUTE, target: { ...TARGET, password: 'other' } },
    { ...ROUTE, target: { ...TARGET, tls: TLS } },
    { ...ROUTE, target: { ...TARGET, tls: { ...TLS, mode: 'require' } } },
    { ...ROUTE, target: { ...TARGET, password: undefined } },
    { ...ROUTE, target: { ...TARGET, password: undefined, scramKeys: keys('a', 'b') } },
    { ...ROUTE, target: { ...TARGET, password: undefined, scramKeys: keys('a', 'c') } },
    { ...ROUTE, target: { ...TARGET, password: undefined, scramKeys: keys('c', 'b') } },
    { ...ROUTE, tenancy: { strategy: 'schema', searchPath: ['acme'], setting: 'my.tenant' } },
  ]
  t.equal(new Set(routes.map(poolKey)).size, routes.length)
  t.notMatch(routes.map(poolKey).join(), TARGET.password)
})

t.test('no pool is named after a secret', async (t) => {
  const pool = rig().enter(OWN)
  t.equal(pool.name, 'acme: pool@db:5432/saas')
})

t.test('a pool is forgotten when the last session has left it', async (t) => {
  const pools = rig()
  const pool = pools.enter(ROUTE)
  t.equal(pools.enter(GLOBEX), pool)
  t.equal(pools.count, 1)
  pools.leave(pool)
  pools.closeExpired()
  t.equal(pools.count, 1)
  pools.leave(pool)
  t.equal(pools.count, 1)
  pools.closeExpired()
  t.equal(pools.count, 0)
  t.not(pools.enter(ROUTE), pool)
})

t.test('a pool that was left behind is closed with its last session', async (t) => {
  const pools = rig()
  const pool = pools.enter(ROUTE)
  pools.enter(GLOBEX)
  pools.leaveBehind(pool)
  const late = new Guest()
  t.equal(pool.checkout(late), undefined)
  t.equal(late.heard, 0, 'the other one still uses it')
  pool.abandon(late)
  pools.leave(pool)
  const nobody = new Guest()
  pool.checkout(nobody)
  t.equal(nobody.error?.code, 'POOL_DRAINED')
  t.not(pools.enter(ROUTE), pool, 'who comes now gets a new one')
  pools.closeExpired()
  t.equal(pools.count, 2, 'it is counted until its connection is closed')
})

t.test('who comes back keeps a pool that was left behind', async (t) => {
  const pools = rig()
  const pool = pools.enter(ROUTE)
  pools.enter(ROUTE)
  pools.leaveBehind(pool)
  pools.enter(GLOBEX)
  pools.leave(pool)
  pools.leave(pool)
  t.equal(pools.enter(ROUTE), pool)
})

t.test('a pool that nobody uses goes when its login is led elsewhere', async (t) => {
  const pools = rig()
  const [shared, own] = [pools.enter(ROUTE), pools.enter(OWN)]
  t.strictSame(pools.lastRoutes(), [], 'those in use follow their sessions')
  pools.leave(shared)
  pools.leave(own)
  t.strictSame(pools.lastRoutes(), [ROUTE, OWN])
  t.strictSame(pools.lastRoutes('acme' as TenantName), [OWN], 'a shared one is not its own')
  pools.settle(OWN, { ...OWN })
  pools.settle(OWN, { ...OWN, version: OWN.version + 1, maxClients: 5 })
  t.equal(pools.count, 2, 'it is led to the same place')
  const elsewhere = { ...OWN.target, database: 'elsewhere' }
  pools.enter(OWN)
  pools.settle(OWN, { ...OWN, version: OWN.version + 1, target: elsewhere })
  t.equal(pools.count, 2, 'somebody came meanwhile')
  pools.leave(own)
  t.equal(pools.count, 2)
  pools.settle(OWN, { ...OWN, version: OWN.version + 1, target: elsewhere })
  t.equal(pools.count, 1)
  pools.settle(ROUTE, undefined)
  t.equal(pools.count, 0)
})

/** Another login at the same endpoint, by an entry of another name or figure. */
function budgeted(user: string, server: string, maxConnections: number): Route {
  return { ...ROUTE, target: { ...TARGET, user }, serverBudget: { server, maxConnections } }
}

t.test('pools of one endpoint share a budget, and the smallest figure counts', async (t) => {
  const pools = rig()
  t.strictSame(pools.budgets(), [])
  const max = () => pools.budgets().map((budget) => budget.max)
  const one = pools.enter(budgeted('a', 'one', 5))
  const two = pools.enter(budgeted('b', 'two', 3))
  t.strictSame(pools.budgets(), [{ server: 'db:5432', used: 0, max: 3, denied: 0 }])
  pools.enter({ ...BUDGETED, target: { ...TARGET, host: 'DB', port: 5433 } })
  t.strictSame(max(), [3, 3], 'another port is another server')
  pools.enter(budgeted('c', 'one', 2))
  t.strictSame(max(), [2, 3], 'what was heard last of an entry counts for all of it')
  pools.enter(budgeted('c', 'one', 9))
  t.strictSame(max(), [3, 3])
  pools.leave(two)
  pools.closeExpired()
  t.strictSame(max(), [9, 3], 'an entry that leads nobody there does not count')
  t.equal(pools.enter(budgeted('a', 'one', 4)), one, 'a figure makes no other pool')
  t.strictSame(max(), [4, 3])
})

t.test('a budget is forgotten with its last pool', async (t) => {
  const pools = rig()
  pools.leave(pools.enter(BUDGETED))
  t.equal(pools.budgets().length, 1)
  pools.closeExpired()
  t.strictSame(pools.budgets(), [])
  pools.leaveBehind(pools.enter(BUDGETED))
  t.strictSame(pools.budgets(), [])
  pools.enter(ROUTE)
  t.strictSame(pools.budgets(), [], 'nor is there one without a figure')
})

t.test('drains all', async (t) => {
  const pools = rig()
  const all = [pools.enter(ROUTE), pools.enter(OWN)]
  pools.drain()
  for (const pool of all) {
    const guest = new Guest()
    t.equal(pool.checkout(guest), undefined)
    t.equal(guest.error?.code, 'POOL_DRAINED')
  }
})
