import t from 'tap'
import type { Route } from '../../src/catalog/route.ts'
import { Pauses } from '../../src/limits/pauses.ts'
import { blindPoolObserver } from '../../src/pool/pool-observer.ts'
import { Pools } from '../../src/pool/pools.ts'
import type { Admission } from '../../src/session/admission.ts'
import { isSamePlace, Residence } from '../../src/session/follow/residence.ts'
import { buildLink } from '../../src/tenancy/link.ts'
import { ROUTE } from '../auth/auth-fixture.ts'
import { FakeClock } from '../support/fake-clock.ts'

const ACME: Route = {
  ...ROUTE,
  tenancy: { strategy: 'schema', searchPath: ['acme'], setting: 'app.tenant_id' },
}
const OWN: Route = { ...ACME, tenancy: { strategy: 'database' } }
const { signal } = new AbortController()

const UTC = [{ name: 'timezone', value: 'UTC' }]

function placeOf(route: Route): Pick<Admission, 'route' | 'link'> {
  return { route, link: buildLink(route, UTC) }
}

function rig(route: Route = ACME) {
  const clock = new FakeClock()
  const options = {
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
  const pools = new Pools({
    options: () => options,
    observer: blindPoolObserver,
    signer: () => undefined,
    clock,
  })
  const pool = pools.enter(route)
  const parameters = new Map([['client_encoding', 'UTF8']])
  const parts = { ...placeOf(route), pool, parameters, settings: new Map() }
  const residence = new Residence(parts as unknown as Admission, {
    pools,
    pauses: new Pauses(),
    clock,
  })
  return { residence, pools, pool, parameters, clock }
}

/** A route to another pool where any link is known to work. */
function provenPlace(pools: Pools, parameters: ReadonlyMap<string, string>): Route {
  const route: Route = { ...OWN, version: 2 }
  const pool = pools.enter(route)
  const { link } = placeOf(route)
  pool.prove({ link, parameters, settings: new Map() })
  return route
}

const PLACES: readonly { readonly name: string; readonly to: Route; readonly isSame: boolean }[] = [
  { name: 'nothing but the version', to: { ...ACME, version: 2 }, isSame: true },
  { name: 'limits', to: { ...ACME, timeouts: { ...ACME.timeouts, waitMs: 7 } }, isSame: true },
  { name: 'the size', to: { ...ACME, pool: { ...ACME.pool, size: 9 } }, isSame: true },
  { name: 'a role', to: { ...ACME, role: 'reader' }, isSame: false },
  { name: 'a setting', to: { ...ACME, settings: [{ name: 'a', value: 'b' }] }, isSame: false },
  { name: 'the host', to: { ...ACME, target: { ...ACME.target, host: 'b' } }, isSame: false },
  {
    name: 'the password',
    to: { ...ACME, target: { ...ACME.target, password: 'b' } },
    isSame: false,
  },
  { name: 'the strategy', to: OWN, isSame: false },
]

for (const { name, to, isSame } of PLACES) {
  t.test(`${name}: ${isSame ? 'the same place' : 'another one'}`, async (t) => {
    t.equal(isSamePlace(placeOf(ACME), to), isSame)
  })
}

t.test('what is heard', async (t) => {
  const { residence } = rig()
  t.equal(residence.hear({ ...ACME }), 'same')
  t.equal(
    residence.hear({ ...ACME, pool: { ...ACME.pool, mode: 'session' } }),
    'same',
    'it keeps its mode',
  )
  const timeouts = { ...ACME.timeouts, idleClientMs: 5 }
  t.equal(residence.hear({ ...ACME, timeouts, version: 2 }), 'here')
  t.equal(residence.timeouts, timeouts, 'in force at once')
  t.equal(residence.hear({ ...OWN, version: 3 }), 'elsewhere')
  t.equal(residence.hear({ ...OWN, version: 3 }), 'same')
  t.equal(residence.hear({ ...ACME, version: 4 }), 'here', 'and back')
  t.equal(residence.hear({ ...ACME, serverUser: 'client' }), 'barred', 'its proof was not kept')
})

t.test('it stays in the same place under a new name', async (t) => {
  const { residence, pool, pools } = rig()
  residence.hear({ ...ACME, version: 2 })
  const admission = residence.settle()
  t.equal(admission?.pool, pool)
  t.match(admission?.link.tenantKey, /@2$/)
  t.equal(pool.proven(buildLink({ ...ACME, version: 2 }, UTC))?.link, admission?.link)
  t.equal(residence.settle(), undefined)
  t.equal(residence.isAway, false)
  residence.depart(true)
  t.equal(pools.count, 0, 'it was in its pool once')
})

t.test('it leaves a place that its tenant has left', async (t) => {
  const { residence, pools } = rig()
  residence.hear(OWN)
  t.equal(residence.settle(), undefined)
  t.equal(residence.isAway, true)
  t.equal(pools.count, 0)
  t.equal(
    residence.hear({ ...ACME, version: 5 }),
    'elsewhere',
    'the old one has to be entered anew',
  )
  residence.depart(false)
  t.equal(pools.count, 0)
})

t.test('it enters the new place', async (t) => {
  const { residence, pools, parameters } = rig()
  const route = provenPlace(pools, parameters)
  residence.hear(route)
  residence.settle()
  const seen: Admission[] = []
  await residence.enter(signal, (admission) => seen.push(admission))
  t.equal(residence.isAway, false)
  t.equal(seen[0], residence.admission)
  t.equal(residence.admission.route, route)
  t.strictSame(residence.admission.link.clientSettings, UTC)
})

t.test('nothing is entered that can not take it', async (t) => {
  const { residence, pools, parameters } = rig()
  residence.hear(provenPlace(pools, new Map([['client_encoding', 'SQL_ASCII']])))
  residence.settle()
  await t.rejects(
    residence.enter(signal, () => t.fail('not there')),
    { code: 'SESSION_MOVED' },
  )
  residence.hear({ ...provenPlace(pools, parameters), version: 2 })
  const refuse = () => {
    throw new Error('does not fit')
  }
  await t.rejects(residence.enter(signal, refuse), Error)
  await t.rejects(residence.enter(AbortSignal.abort(), refuse), { name: 'AbortError' })
  t.equal(residence.isAway, true)
  t.equal(residence.admission.route, ACME)
})

t.test('settings that would leave the tenant there', async (t) => {
  const { residence } = rig(OWN)
  const shared: Route = {
    ...ACME,
    tenancy: { strategy: 'row', searchPath: ['a'], setting: 'timezone', value: '1' },
  }
  residence.hear(shared)
  residence.settle()
  await t.rejects(
    residence.enter(signal, () => t.fail('not there')),
    { code: 'SESSION_MOVED' },
  )
})

t.test('it waits no longer than it may', async (t) => {
  const { residence, clock } = rig()
  residence.hear({ ...OWN, timeouts: { ...OWN.timeouts, waitMs: 50 } })
  residence.settle()
  const entering = residence.enter(signal, () => t.fail('not there'))
  const refused = t.rejects(entering, { code: 'CHECKOUT_TIMEOUT' })
  clock.advance(50)
  await refused
  t.equal(residence.isAway, true)
})
