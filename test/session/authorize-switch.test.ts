import t from 'tap'
import type { Catalog, Resolution } from '../../src/catalog/catalog.ts'
import type { SecretSource } from '../../src/catalog/login.ts'
import type { AuthQuery, Route } from '../../src/catalog/route.ts'
import { TenantGate } from '../../src/limits/tenant-gate.ts'
import type { Admission } from '../../src/session/admission.ts'
import type { Credential } from '../../src/session/follow/credential.ts'
import type { SessionParts } from '../../src/session/session-parts.ts'
import { authorizeSwitch } from '../../src/session/switch/authorize-switch.ts'
import { buildLink } from '../../src/tenancy/link.ts'
import type { Setting } from '../../src/tenancy/tenancy.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { ASK, MD5_SECRET, ROUTE, SCRAM_SECRET } from '../auth/auth-fixture.ts'

const ACME = 'acme' as TenantName
const GLOBEX: Route = { ...ROUTE, tenant: 'globex' as TenantName }
const CLIENTS: Partial<Route> = { serverUser: 'client' }

interface Case {
  readonly asked?: string | undefined
  /** Of the tenant of the login. */
  readonly home?: Partial<Route>
  readonly settings?: readonly Setting[]
  readonly credential?: Partial<Credential>
  readonly isTenantCertified?: boolean
  readonly isByParameter?: boolean
  /** What the catalog says now. */
  readonly to?: Partial<Route>
  readonly secret?: SecretSource
  readonly isSuspended?: boolean
  readonly resolution?: Resolution
}

function askFor({
  asked = 'globex',
  home = {},
  settings = [],
  credential = {},
  isTenantCertified = false,
  isByParameter = true,
  to = {},
  secret = SCRAM_SECRET,
  isSuspended = false,
  resolution = { kind: 'route', route: { ...GLOBEX, ...to }, secret, isSuspended },
}: Case) {
  const gate = new TenantGate()
  gate.tryEnter(ACME, 0)
  const route: Route = { ...ROUTE, ...home }
  const admission = {
    route,
    link: buildLink(route, settings),
    credential: { method: 'scram-sha-256', secret: SCRAM_SECRET, ...credential },
    isTenantCertified,
  } as unknown as Admission
  const catalog: Catalog = { resolve: async () => resolution }
  const parts = {
    catalog,
    follower: { changes: 3 },
    tenantGate: gate,
    options: () => ({ tag: { parameter: isByParameter } }),
  } as unknown as SessionParts
  const tenant = asked === 'home' ? undefined : asked
  return { gate, permit: authorizeSwitch({ tenant, home: admission, admission }, parts) }
}

const QUERY: AuthQuery = {
  target: ROUTE.target,
  query: 'SELECT 1',
  cacheMs: 0,
  timeoutMs: 1,
  maxConnections: 1,
}
const OTHER_QUERY: AuthQuery = { ...QUERY, target: { ...ROUTE.target, host: '/other' } }
const SHARED = {
  strategy: 'schema',
  searchPath: ['tenant_globex'],
  setting: 'app.tenant_id',
} as const

const PERMITTED: Readonly<Record<string, Case>> = {
  'what is granted': {},
  'a trusted login, whatever its secret': { credential: { method: 'trust' }, secret: MD5_SECRET },
  'a login by certificate': { credential: { method: 'cert' } },
  'the same server knows the secret': {
    credential: { secret: ASK },
    secret: ASK,
    home: { authQuery: QUERY },
    to: { authQuery: { ...QUERY } },
  },
  'with the proof that was kept': {
    home: { ...CLIENTS, target: { ...ROUTE.target, password: 'mine' } },
    to: CLIENTS,
  },
}

for (const [name, permitted] of Object.entries(PERMITTED)) {
  t.test(`permitted: ${name}`, async (t) => {
    const { permit, gate } = askFor(permitted)
    const { route, since, withdraw } = await permit
    t.equal(route.tenant, 'globex')
    t.equal(since, 3)
    t.equal(gate.countOf(GLOBEX.tenant), 1)
    withdraw()
    t.equal(gate.countOf(GLOBEX.tenant), 0)
  })
}

const REFUSED: Readonly<Record<string, Case & { readonly reason: string }>> = {
  'no name': { asked: 'No Name', reason: 'malformedName' },
  'bound by its certificate': { isTenantCertified: true, reason: 'boundByCertificate' },
  'tags by parameter are off': { isByParameter: false, reason: 'notByParameter' },
  'the password was changed': { secret: MD5_SECRET, reason: 'notProven' },
  'another server knows the secret': {
    credential: { secret: ASK },
    secret: ASK,
    home: { authQuery: QUERY },
    to: { authQuery: OTHER_QUERY },
    reason: 'notProven',
  },
  'a server knows what the catalog knew': { secret: ASK, reason: 'notProven' },
  'the catalog knows what a server knew': { credential: { secret: ASK }, reason: 'notProven' },
  'unknown to the catalog': {
    resolution: { kind: 'refused', reason: 'unknownTenant', secret: SCRAM_SECRET },
    reason: 'unknownTenant',
  },
  'not granted, and suspended besides': {
    resolution: { kind: 'refused', reason: 'notGranted', secret: SCRAM_SECRET },
    isSuspended: true,
    reason: 'notGranted',
  },
}

for (const [name, { reason, ...refused }] of Object.entries(REFUSED)) {
  t.test(`refused: ${name}`, async (t) => {
    const { permit, gate } = askFor(refused)
    await t.rejects(permit, { code: 'TENANT_SWITCH_REFUSED', sqlState: '42501', reason })
    t.equal(gate.countOf(GLOBEX.tenant), 0)
  })
}

t.test('what only those hear who may act for it', async (t) => {
  const path = [{ name: 'search_path', value: 'elsewhere' }]
  await t.rejects(askFor({ isSuspended: true }).permit, { code: 'TENANT_SUSPENDED' })
  await t.rejects(askFor({ to: CLIENTS }).permit, { code: 'TENANT_SWITCH_IMPOSSIBLE' })
  await t.rejects(askFor({ settings: path, to: { tenancy: SHARED } }).permit, {
    code: 'SETTING_REFUSED',
  })
  const { gate, permit } = askFor({ to: { maxClients: 1 } })
  await permit
  t.equal(gate.countOf(GLOBEX.tenant), 1)
})

t.test('its own place is not taken twice', async (t) => {
  const { gate, permit } = askFor({ asked: 'acme', to: { ...ROUTE, maxClients: 1 } })
  const { withdraw } = await permit
  withdraw()
  t.equal(gate.countOf(ACME), 1)
})

t.test('home is open, however it came', async (t) => {
  const { permit } = askFor({
    asked: 'home',
    isTenantCertified: true,
    isByParameter: false,
    to: ROUTE,
  })
  t.equal((await permit).route.tenant, ACME)
})

t.test('what its login asked for goes along, and the proof of the client', async (t) => {
  const settings = [{ name: 'timezone', value: 'UTC' }]
  const target = { ...ROUTE.target, password: 'mine' }
  const { link, route } = await askFor({ settings, home: { ...CLIENTS, target }, to: CLIENTS })
    .permit
  t.strictSame(link.clientSettings, settings)
  t.match(route.target, { user: 'app', password: 'mine' })
})
