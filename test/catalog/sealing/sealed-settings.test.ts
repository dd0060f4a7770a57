import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { RecordRefusedError } from '../../../src/catalog/catalog-errors.ts'
import { parseServerUrl } from '../../../src/catalog/documents/server-url.ts'
import type { CatalogRow } from '../../../src/catalog/entry.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { openRow, sealRow } from '../../../src/catalog/sealing/sealed-settings.ts'

const RING = new KeyRing([{ id: 'k1', key: randomBytes(32).toString('base64') }])
const ACME = { kind: 'tenant', name: 'acme', version: 3 } as const

/** A row of tenant acme whose passwords are sealed for their places. */
function rowOf(
  settings: CatalogRow['settings'],
  passwords: Readonly<Record<string, string>>,
): CatalogRow {
  const secrets = Object.fromEntries(
    Object.entries(passwords).map(([place, secret]) => [
      place,
      RING.seal(secret, { ...ACME, place }),
    ]),
  )
  return { name: 'acme', version: 12, settings, secrets, secretsVersion: 3 }
}

function openUrl(databaseUrl: unknown, secret = 'p@ss'): unknown {
  const row = rowOf({ databaseUrl }, { databaseUrl: secret })
  return openRow(row, 'tenant', RING)['databaseUrl']
}

const URLS = [
  ['postgresql://app@db:5432/acme', 'postgresql://app:p%40ss@db:5432/acme'],
  ['postgres://app:@db/acme?sslmode=require', 'postgres://app:p%40ss@db/acme?sslmode=require'],
  ['postgresql://user@/db?host=/run', 'postgresql://user:p%40ss@/db?host=/run'],
  ['postgresql://{tenant}@[::1]/t_{tenant}', 'postgresql://{tenant}:p%40ss@[::1]/t_{tenant}'],
  ['postgresql://a%40b@%2Frun/db', 'postgresql://a%40b:p%40ss@%2Frun/db'],
] as const

for (const [url, opened] of URLS) {
  t.test(`puts the password into ${url}`, async (t) => t.equal(openUrl(url), opened))
}

const NO_URLS = [
  '',
  'hush',
  'mysql://app@db/acme',
  'postgresql://db/acme',
  'postgresql://a@b@c/d',
  7,
]

for (const url of NO_URLS) {
  t.test(`leaves ${JSON.stringify(url)} to whoever reads URLs`, async (t) => {
    t.equal(openUrl(url), url)
    t.throws(() => sealRow({ databaseUrl: url }, ACME, RING), RecordRefusedError)
  })
}

t.test('opens every place of a tenant, and leaves the row as it was', async (t) => {
  const settings = {
    name: 'acme',
    databaseUrl: 'postgresql://app@db/acme',
    authQuery: { url: 'postgresql://asker@db/acme', cacheMs: 5 },
    users: { 'o.neil': { user: 'oneil' }, trusted: { user: 'peer' } },
    serverLogin: { user: 'own' },
    searchPath: null,
  }
  const row = rowOf(settings, {
    databaseUrl: 'one',
    'authQuery.url': 'two',
    'users.o.neil': 'three',
    serverLogin: 'four',
  })
  const before = structuredClone(row)
  t.strictSame(openRow(row, 'tenant', RING), {
    name: 'acme',
    databaseUrl: 'postgresql://app:one@db/acme',
    authQuery: { url: 'postgresql://asker:two@db/acme', cacheMs: 5 },
    users: { 'o.neil': { user: 'oneil', password: 'three' }, trusted: { user: 'peer' } },
    serverLogin: { user: 'own', password: 'four' },
    searchPath: null,
  })
  t.strictSame(row, before)
})

t.test('opens the place of a server', async (t) => {
  const server = { kind: 'server', name: 'shared', version: 1 } as const
  const sealed = sealRow({ url: 'postgresql://pool:hush@db/saas' }, server, RING)
  t.strictSame(sealed.settings, { url: 'postgresql://pool@db/saas' })
  const row = { name: 'shared', version: 1, ...sealed, secretsVersion: 1 }
  t.strictSame(openRow(row, 'server', RING), { url: 'postgresql://pool:hush@db/saas' })
  t.throws(() => openRow(row, 'tenant', RING), {
    code: 'CATALOG_RECORD_REFUSED',
    fault: 'foreign',
  })
})

t.test('gives back what was sealed, and hides it in between', async (t) => {
  const password = fc
    .string({ unit: 'binary', minLength: 12 })
    .filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(password, fc.string({ minLength: 1 }), (secret, login) => {
      const url = `postgresql://app:${encodeURIComponent(secret)}@db/acme`
      const users = Object.fromEntries([[login, { user: 'x', password: secret }]])
      const settings = { databaseUrl: url, users }
      const sealed = sealRow(settings, ACME, RING)
      t.notOk(JSON.stringify(sealed).includes(JSON.stringify(secret).slice(1, -1)))
      t.notOk(JSON.stringify(sealed).includes(encodeURIComponent(secret)))
      t.strictSame(Object.keys(sealed.secrets).sort(), ['databaseUrl', `users.${login}`].sort())
      const row = { name: 'acme', version: 1, ...sealed, secretsVersion: 3 }
      const opened = openRow(row, 'tenant', RING)
      // As text: the login may be 'constructor', by which tap would tell classes.
      t.equal(JSON.stringify(opened['users']), JSON.stringify(users))
      const read = parseServerUrl(String(opened['databaseUrl']))
      t.equal(read.kind === 'target' && read.target.password, secret)
    }),
  )
})

const UNPLACED = [
  'databaseUrl',
  'url',
  'authQuery.url',
  'users.app',
  'users.',
  'serverLogin',
  'password',
]

for (const place of UNPLACED) {
  t.test(`refuses a password for ${place} when there is no such place`, async (t) => {
    const row = rowOf({ users: { other: { user: 'x' } }, authQuery: {} }, { [place]: 'hush' })
    t.throws(() => openRow(row, 'tenant', RING), { code: 'CATALOG_RECORD_REFUSED' })
  })
}

const PLAIN = [
  { databaseUrl: 'postgresql://app:hush-1@db/acme' },
  { authQuery: { url: 'postgresql://app:hush-1@db/acme' } },
  { users: { app: { user: 'app', password: 'hush-1' } } },
  { serverLogin: { user: 'own', password: 'hush-1' } },
]

for (const settings of PLAIN) {
  t.test(`refuses a plain password in ${Object.keys(settings)}`, async (t) => {
    const row = rowOf(settings, {})
    t.throws(() => openRow(row, 'tenant', RING), { code: 'CATALOG_RECORD_REFUSED' })
    t.throws(() => openRow(row, 'tenant', RING), { message: /^(?!.*hush).*pgusher catalog seal/ })
  })
}

t.test('refuses a row whose secrets were taken from another version', async (t) => {
  const row = rowOf({ databaseUrl: 'postgresql://app@db/acme' }, { databaseUrl: 'hush' })
  t.throws(() => openRow({ ...row, secretsVersion: 4 }, 'tenant', RING), {
    code: 'CATALOG_RECORD_REFUSED',
    fault: 'foreign',
  })
  t.throws(() => openRow({ ...row, name: 'globex' }, 'tenant', RING), {
    code: 'CATALOG_RECORD_REFUSED',
    fault: 'foreign',
  })
})

const UNREADABLE = [
  { users: 'hush' },
  { users: { app: 'hush' } },
  { users: { app: { user: 'app', password: 5 } } },
  { authQuery: 'postgresql://app:hush@db/acme' },
  { databaseUrl: 'postgresql://app:hu#sh@db/acme' },
  { databaseUrl: 'postgresql://app:hu%zzsh@db/acme' },
  { databaseUrl: 'postgresql://app@db/acme?password=hush' },
]

for (const settings of UNREADABLE) {
  t.test(`seals nothing when a password may hide in ${JSON.stringify(settings)}`, async (t) => {
    t.throws(() => sealRow(settings, ACME, RING), { message: /^(?!.*hu)/ })
    t.strictSame(openRow(rowOf(settings, {}), 'tenant', RING), settings)
  })
}

t.test('needs no password where there is none', async (t) => {
  const settings = {
    databaseUrl: 'postgresql://app:@db/acme',
    authQuery: { url: null },
    users: { app: { user: 'app', password: null }, other: { user: 'x', password: '' } },
  }
  const sealed = sealRow(settings, ACME, RING)
  t.strictSame(sealed.secrets, {})
  t.strictSame(openRow(rowOf(sealed.settings, {}), 'tenant', RING), {
    databaseUrl: 'postgresql://app@db/acme',
    authQuery: { url: null },
    users: { app: { user: 'app' }, other: { user: 'x' } },
  })
})
