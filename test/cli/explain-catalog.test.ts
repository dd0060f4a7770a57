import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import type { CatalogName } from '../../src/catalog/entry.ts'
import { KeyRing } from '../../src/catalog/sealing/key-ring.ts'
import { runExplain } from '../../src/cli/explain.ts'
import { openSource, VERIFIER } from '../catalog/postgres/catalog-fixture.ts'
import { fillQuietly, KEPT_MS, serverFor, watchedCache } from '../catalog/redis/redis-fixture.ts'
import { randomKey, startCatalog } from '../catalog/sealing/catalog-fixture.ts'
import { probePort } from '../support/postgres-cluster.ts'
import { until } from '../support/until.ts'
import { runCommand } from './catalog-fixture.ts'

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../src/main.js')
const SECRET = 'hush-hush'
const KEY = randomKey('k1')
const ENVELOPE = new KeyRing([KEY]).seal(SECRET, {
  kind: 'tenant',
  name: 'acme',
  place: 'databaseUrl',
  version: 1,
})
/** Nobody listens there: none of it may be asked for. */
const ROWS = `
  INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@127.0.0.1:1/saas');
  INSERT INTO pgusher.tenants (name, strategy, database_url, secrets, secrets_version)
    VALUES ('acme', 'database', 'postgresql://owner@127.0.0.1:1/acme', '{"databaseUrl": "${ENVELOPE}"}', 1);
  INSERT INTO pgusher.tenants (name, strategy, server, status) VALUES
    ('globex', 'schema', 'shared', 'active'),
    ('hooli', 'schema', 'shared', 'suspended'),
    ('eu-*', 'schema', 'shared', 'active');
  INSERT INTO pgusher.logins ("user", secret, has_all_tenants)
    VALUES ('app', '${VERIFIER}', true), ('narrow', '${VERIFIER}', false);
  INSERT INTO pgusher.grants VALUES ('narrow', 'acme');
`

const folder = mkdtempSync(join(tmpdir(), 'pgusher-explain-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const catalog = await startCatalog(t, 18)
await catalog.client.query(ROWS)
const redis = await serverFor(t)
let files = 0

/** Each with keys of its own in Redis, so that no test finds what another one left there. */
function settingsWith(changes: Readonly<Record<string, unknown>> = {}) {
  files += 1
  return {
    postgres: { url: catalog.server.url('postgres') },
    redis: { url: redis.url, prefix: `test-${files}:` },
    keys: [KEY],
    ...changes,
  }
}

function fileWith(catalog: unknown, others: Readonly<Record<string, unknown>> = {}): string {
  const file = join(folder, `${files}.yaml`)
  writeFileSync(file, stringify({ catalog, ...others }))
  return file
}

/** What is told of a session, by label. */
async function tell(t: Test, text: string, file = fileWith(settingsWith())) {
  const { exitCode, out, errors } = await runCommand(runExplain, ['--config', file, text])
  const page = `${out}${errors}`
  t.notMatch(page, SECRET, 'no password')
  t.notMatch(page, KEY.key, 'no key')
  t.notMatch(page, /v1:k1:|SCRAM-SHA-256\$/, 'neither sealed nor hashed ones')
  t.equal(errors, '')
  const lines = out.split('\n').slice(0, -1)
  const all = (label: string) =>
    lines
      .filter((line) => line.slice(0, 16).trimEnd() === label)
      .map((line) => line.slice(16))
      .join('\n')
  return { exitCode, all }
}

/** Puts what Postgres says into Redis, as a proxy does that has asked. */
async function fill(t: Test, prefix: string, names: readonly CatalogName[]): Promise<void> {
  const source = openSource(t, catalog.server)
  const watched = watchedCache(t, { servers: { kind: 'single', url: redis.url }, prefix })
  await until(() => watched.cache.isUp)
  for (const name of names) await fillQuietly(watched, name, await source.read(name))
}

const APP: CatalogName = { kind: 'login', name: 'app' }
const ACME: CatalogName = { kind: 'tenant', name: 'acme' }

t.test('a session is found in Postgres', async (t) => {
  const { exitCode, all } = await tell(t, 'user=app.acme')
  t.equal(exitCode, 0)
  t.match(all('asked'), /^redis: miss in [\d.]+ ms, miss in [\d.]+ ms$/m)
  t.match(all('asked'), /^postgres: hit in [\d.]+ ms, hit in [\d.]+ ms$/m)
  const { rows } = await catalog.client.query('SELECT version FROM pgusher.state')
  const known = `found in postgres, read \\d+ ms ago, as of version ${rows[0].version}`
  t.match(all('catalog'), new RegExp(`^login app: ${known}$`, 'm'))
  t.match(all('catalog'), new RegExp(`^tenant acme: ${known}$`, 'm'))
  t.equal(all('server user'), 'owner')
  t.match(all('admitted'), /^yes/)
  t.equal(all('note'), '')
})

t.test('what Redis knows is not asked from Postgres', async (t) => {
  const settings = settingsWith()
  await fill(t, settings.redis.prefix, [APP, ACME])
  const { exitCode, all } = await tell(t, 'user=app.acme', fileWith(settings))
  t.equal(exitCode, 0)
  t.match(all('asked'), /^redis: hit in [\d.]+ ms, hit in [\d.]+ ms$/)
  t.match(all('catalog'), /^login app: found in redis, read \d+ ms ago, as of version \d+$/m)
  t.match(all('catalog'), /^tenant acme: found in redis, read \d+ ms ago, as of version \d+$/m)
})

t.test('without Redis, Postgres alone is asked', async (t) => {
  const { exitCode, all } = await tell(t, 'user=app.acme', fileWith(settingsWith({ redis: {} })))
  t.equal(exitCode, 0)
  t.match(all('asked'), /^postgres: hit in [\d.]+ ms, hit in [\d.]+ ms$/)
  t.equal(all('note'), '')
})

t.test('what the file lists is asked from nobody', async (t) => {
  const file = fileWith(settingsWith(), {
    logins: [{ user: 'app', password: VERIFIER, tenants: '*' }],
    tenants: [{ name: 'mine', strategy: 'database', databaseUrl: 'postgresql://me@db/mine' }],
  })
  const { exitCode, all } = await tell(t, 'user=app.mine', file)
  t.equal(exitCode, 0)
  t.equal(all('asked'), '')
  t.equal(all('catalog'), 'login app: found in file\ntenant mine: found in file')
})

const REFUSALS = [
  { text: 'user=app.nobody', catalog: /^tenant nobody: absent in postgres/m, why: /unknownTenant/ },
  { text: 'user=who.acme', catalog: /^login who: absent in postgres/m, why: /unknownLogin/ },
  { text: 'user=narrow.globex', catalog: /^tenant globex: found/m, why: /notGranted/ },
  {
    text: 'user=app.hooli',
    catalog: /^tenant hooli: found/m,
    why: /suspended/,
    code: 'TENANT_SUSPENDED',
  },
]
for (const { text, catalog, why, code = 'AUTHENTICATION_FAILED' } of REFUSALS) {
  t.test(`${text} is refused`, async (t) => {
    const { exitCode, all } = await tell(t, text)
    t.equal(exitCode, 1)
    t.match(all('catalog'), catalog)
    t.match(all('admitted'), `no: ${code}`)
    t.match(all('why'), why)
  })
}

t.test('a grant of the tenant lets its login in', async (t) => {
  t.match(await tell(t, 'user=narrow.acme'), { exitCode: 0 })
})

t.test('a record whose password no key opens is refused, and says so', async (t) => {
  const file = fileWith(settingsWith({ keys: [randomKey('other')] }))
  const { exitCode, all } = await tell(t, 'user=app.acme', file)
  t.equal(exitCode, 1)
  t.match(all('catalog'), /^tenant acme: refused in postgres/m)
  t.match(all('note'), /^record refused: CATALOG_RECORD_REFUSED: .*acme/)
  t.match(all('admitted'), /AUTHENTICATION_FAILED/)
})

t.test('the tenant of a template is taken for granted, and that is said', async (t) => {
  const { exitCode, all } = await tell(t, 'user=app.eu-1')
  t.equal(exitCode, 0)
  t.match(all('catalog'), /^tenant eu-1: found in postgres/m)
  t.match(all('link'), /tenant_eu-1/)
  t.equal(all('note'), "whether a template's tenant is really there was not asked")
})

t.test('a Redis that hangs is passed over', async (t) => {
  redis.pause()
  t.teardown(() => redis.resume())
  const { exitCode, all } = await tell(t, 'user=app.acme')
  t.equal(exitCode, 0)
  t.equal(all('note'), 'redis was not ready within 250 ms')
  t.match(all('asked'), /^redis: error in .*, error in /m)
  t.match(all('catalog'), /^tenant acme: found in postgres/m)
})

async function nobodyAt(): Promise<string> {
  return `postgresql://pgusher@127.0.0.1:${await probePort()}/postgres`
}

t.test('when Postgres is down, what nobody knows is refused', async (t) => {
  const file = fileWith(settingsWith({ postgres: { url: await nobodyAt() } }))
  const { exitCode, all } = await tell(t, 'user=app.acme', file)
  t.equal(exitCode, 1)
  t.match(all('asked'), /^postgres: error in /m)
  t.match(all('note'), /^catalog changes not heard: postgres: .*ECONNREFUSED/)
  t.equal(all('admitted'), 'no: CATALOG_UNAVAILABLE, SQLSTATE 57P03')
  t.match(all('why'), /: postgres does not answer for the catalog: .*ECONNREFUSED/)
  t.equal(all('client is told'), 'the tenant catalog is not available')
})

t.test('when Postgres is down, old records of Redis serve, and are called stale', async (t) => {
  const settings = settingsWith({ postgres: { url: await nobodyAt() } })
  const { prefix } = settings.redis
  await fill(t, prefix, [APP, ACME])
  const leftMs = String(KEPT_MS - 600_000)
  for (const key of ['login:app', 'tenant:acme']) {
    t.equal(await redis.run('PEXPIRE', `${prefix}${key}`, leftMs), 1)
  }
  const { exitCode, all } = await tell(t, 'user=app.acme', fileWith(settings))
  t.equal(exitCode, 0)
  const stale = /found in redis, read 60\d{4} ms ago, as of version \d+; stale: its source does not/
  t.match(all('catalog').split('\n'), [stale, stale])
})

t.test('the command ends by itself, whoever is missing', async (t) => {
  const { redis } = settingsWith()
  const url = `redis://127.0.0.1:${await probePort()}`
  const changes = { postgres: { url: await nobodyAt() }, redis: { ...redis, url } }
  const args = [MAIN, 'explain', '--config', fileWith(settingsWith(changes)), 'user=app.acme']
  const ended = promisify(execFile)(process.execPath, args, { env: {} })
  const { code, stdout } = await ended.then(
    () => t.fail('nobody could tell'),
    (error) => error,
  )
  t.equal(code, 1)
  t.match(stdout, /^note +redis lost: 127\.0\.0\.1:\d+: .*ECONNREFUSED/m)
  t.match(stdout, /^admitted +no: CATALOG_UNAVAILABLE/m)
})
