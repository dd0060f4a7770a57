import t, { type Test } from 'tap'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { probeTenant } from '../../src/server/open/probe-tenant.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'
import { TestAuthority } from '../support/certificates.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { LOCAL_NAMES, startTlsPostgres, targetOf as tlsTargetOf } from './tls-fixture.ts'

const TIMEOUT_MS = 20_000
const DATABASE: Tenancy = { strategy: 'database' }
const LOGIN_FAILED = { code: 'SERVER_LOGIN_FAILED' }
const PROBES = `select 1 from pg_stat_activity where application_name = 'pgusher probe'`
const ODD_SCHEMA = `o'\\dd "Ünï" \u{1f600}`

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major}`, async (t) => {
    const postgres = await startSaas(major)
    t.teardown(() => postgres.stop())
    await t.test('databases', (t) => testDatabases(t, postgres))
    await t.test('schemas', (t) => testSchemas(t, postgres))
    await t.test('nothing is left of it', async (t) => {
      await until(async () => (await sql(postgres, 'postgres', PROBES)).length === 0)
      t.notMatch(postgres.log(), /unexpected EOF|could not (send|receive)/)
    })
    await t.test('a server that is gone', (t) => testGone(t, postgres))
  })
}

async function testDatabases(t: Test, postgres: PostgresServer): Promise<void> {
  const acme = targetOf(postgres, { user: 'acme', database: 'acme' })
  t.equal(await probe(acme, DATABASE), 'present')
  t.equal(await probe({ ...acme, database: 'nowhere' }, DATABASE), 'absent')
  t.equal(await probe({ ...acme, host: postgres.socketDir }, DATABASE), 'present')
  const wrong = { ...acme, password: 'wrong' }
  await t.rejects(probe(wrong, DATABASE), { ...LOGIN_FAILED, serverSqlState: '28P01' })
  const blind = { ...wrong, database: 'nowhere' }
  await t.rejects(
    probe(blind, DATABASE),
    { ...LOGIN_FAILED, serverSqlState: '28P01' },
    'the password comes first',
  )
  await sql(postgres, 'postgres', 'ALTER DATABASE umbrella ALLOW_CONNECTIONS false')
  const closed = targetOf(postgres, { user: 'umbrella', database: 'umbrella' })
  await t.rejects(probe(closed, DATABASE), { ...LOGIN_FAILED, serverSqlState: '55000' })
}

async function testSchemas(t: Test, postgres: PostgresServer): Promise<void> {
  const pool = targetOf(postgres, { user: 'pool', database: 'saas' })
  const ask = (...searchPath: string[]) => probe(pool, schema(...searchPath))
  t.equal(await ask('tenant_globex'), 'present')
  t.equal(await ask('tenant_globex', 'nowhere'), 'present', 'the first one counts')
  t.equal(await ask('nowhere', 'tenant_globex'), 'absent')
  t.equal(await ask('TENANT_GLOBEX'), 'absent')
  t.equal(await ask(`x' OR true --`), 'absent')
  t.equal(await ask(`\\' OR true --`), 'absent')
  t.equal(await ask(''), 'absent')
  t.equal(await ask(ODD_SCHEMA), 'absent')
  await sql(postgres, 'saas', `CREATE SCHEMA "${ODD_SCHEMA.replaceAll('"', '""')}"`)
  t.equal(await ask(ODD_SCHEMA), 'present', 'the pool need not own it')
  await sql(postgres, 'saas', `CREATE SCHEMA ${'a'.repeat(63)}`)
  t.equal(await ask('a'.repeat(70)), 'present', 'cut as in a search_path')
  const elsewhere = { ...pool, database: 'nowhere' }
  await t.rejects(probe(elsewhere, schema('tenant_globex')), {
    ...LOGIN_FAILED,
    serverSqlState: '3D000',
  })
}

async function testGone(t: Test, postgres: PostgresServer): Promise<void> {
  const target = targetOf(postgres, { user: 'acme', database: 'acme' })
  await postgres.halt()
  await t.rejects(probe(target, DATABASE), { code: 'SERVER_UNREACHABLE' })
  await t.rejects(probe(target, schema('tenant_acme')), { code: 'SERVER_UNREACHABLE' })
}

t.test('over TLS', async (t) => {
  const authority = await TestAuthority.create()
  t.teardown(() => authority.remove())
  const own = await authority.issue({ commonName: 'server', altNames: LOCAL_NAMES })
  const postgres = await startTlsPostgres(t, 18, { own, clients: authority.own })
  await sql(postgres, 'postgres', 'CREATE SCHEMA tenant_acme')
  const parameters = `sslmode=verify-full&sslrootcert=${authority.caFile}`
  const target = tlsTargetOf(postgres, { user: 'only_tls', parameters })
  t.equal(await probe(target, schema('tenant_acme')), 'present')
  t.equal(await probe(target, schema('tenant_globex')), 'absent')
  t.equal(await probe(target, DATABASE), 'present')
  t.equal(await probe({ ...target, database: 'nowhere' }, DATABASE), 'absent')
  const plain = tlsTargetOf(postgres, { user: 'only_tls', parameters: 'sslmode=disable' })
  await t.rejects(probe(plain, DATABASE), { ...LOGIN_FAILED, serverSqlState: '28000' })
  const strange = await TestAuthority.create('somebody else')
  t.teardown(() => strange.remove())
  const distrust = `sslmode=verify-full&sslrootcert=${strange.caFile}`
  const unverified = tlsTargetOf(postgres, { user: 'only_tls', parameters: distrust })
  await t.rejects(probe({ ...unverified, database: 'nowhere' }, DATABASE), LOGIN_FAILED)
})

function probe(target: ServerTarget, tenancy: Tenancy) {
  return probeTenant(target, tenancy, { timeoutMs: TIMEOUT_MS })
}

function schema(...searchPath: string[]): Tenancy {
  return { strategy: 'schema', searchPath, setting: 'app.tenant_id' }
}

/** Passwords are the names of their users. */
function targetOf(
  { host, port }: PostgresServer,
  { user, database }: Pick<ServerTarget, 'user' | 'database'>,
): ServerTarget {
  return { host, port, database, user, password: user, tls: undefined }
}
