import t, { type Test } from 'tap'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { startTestProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { sealedSettings, startSealedTown } from './sealed-town.ts'

const OWNER = 'SELECT owner FROM items'
const PAIRS = [
  { first: 'globex', second: 'hooli' },
  { first: 'initech', second: 'initrode' },
] as const

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSealedTown(major)
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session'] as const) {
      await t.test(`${mode} mode`, (t) => everybodyIsServed(t, server, mode))
    }
    await t.test('a token stays out of sight', (t) => tokensAreHidden(t, server))
    await t.test('tokens are renewed', (t) => tokensAreRenewed(t, server))
    await t.test('what is not sealed is not served', (t) => brokenSeals(t, server))
  })
}

async function start(t: Test, settings: Readonly<Record<string, unknown>>) {
  const proxy = await startTestProxy(settings)
  t.teardown(() => proxy.stop())
  return proxy
}

async function everybodyIsServed(t: Test, server: PostgresServer, mode: string): Promise<void> {
  const proxy = await start(t, sealedSettings(server, { pool: { mode, size: 2 } }))
  for (const { first, second } of PAIRS) {
    await t.test(`${first} and ${second}`, async (t) => {
      const one = await proxy.connect(first)
      const two = await proxy.connect(second)
      for (let round = 0; round < 3; round += 1) {
        t.strictSame((await one.query(OWNER)).rows, [{ owner: first }])
        t.strictSame((await two.query(OWNER)).rows, [{ owner: second }])
      }
      for (const reset of ['RESET ALL', 'DISCARD ALL', 'SET app.tenant_id TO DEFAULT']) {
        await one.query(reset)
        t.strictSame((await one.query(OWNER)).rows, [{ owner: first }], `behind ${reset}`)
        t.strictSame((await two.query(OWNER)).rows, [{ owner: second }])
      }
      await one.query('BEGIN')
      await one.query(`INSERT INTO items (id, owner) VALUES (2, 'new')`)
      t.equal((await one.query(OWNER)).rows.length, 2, 'it writes rows of its own')
      await one.query('ROLLBACK')
      await one.query('DO $$ BEGIN END $$')
      t.equal(
        await proxy.metric('pgusher_pins_total', { reason: 'set' }),
        0,
        'its token pins nobody',
      )
      await one.query('CREATE TEMP TABLE mine AS SELECT 1')
      t.strictSame((await one.query(OWNER)).rows, [{ owner: first }], 'pinned')
      await one.query('DISCARD TEMP; RESET ALL')
      t.strictSame((await one.query(OWNER)).rows, [{ owner: first }], 'and let go')
      await Promise.all([one.end(), two.end()])
    })
  }
  t.equal(await proxy.metric('pgusher_isolation_violations_total'), 0)
}

async function tokensAreHidden(t: Test, server: PostgresServer): Promise<void> {
  const proxy = await start(t, sealedSettings(server, { pool: { size: 2 } }))
  const one = await proxy.connect('initech')
  const two = await proxy.connect('initrode')
  await one.query('BEGIN')
  const token = (await one.query(`SELECT current_setting('app.tenant_id') AS token`)).rows[0].token
  t.match(token, /^3432\.\d+\.[0-9a-f]+\.town\.[0-9a-f]+$/)
  await two.query('BEGIN')
  await two.query(`SELECT set_config('my.token', $1, true)`, [token])
  const seen = await two.query('SELECT query FROM pg_stat_activity')
  t.equal(seen.rows.filter(({ query }) => query.includes(token)).length, 0)
  await Promise.all([one.query('COMMIT'), two.query('COMMIT')])
  await Promise.all([one.end(), two.end()])
}

/** Half of the shortest lifetime is 5 s. */
async function tokensAreRenewed(t: Test, server: PostgresServer): Promise<void> {
  const town = sealedSettings(server)
  const isolation = { ...(town['isolation'] as object), tokenLifetimeMs: 10_000 }
  const renewals = ['transaction', 'session'].flatMap((mode) =>
    ['nothing', 'pinned'].map(async (state) => {
      const proxy = await start(t, { ...town, isolation, pool: { mode } })
      const client = await proxy.connect('initech')
      if (state === 'pinned') await client.query('CREATE TEMP TABLE mine AS SELECT 1')
      const token = `SELECT current_setting('app.tenant_id') AS token`
      const first = (await client.query(token)).rows[0].token
      await until(async () => (await client.query(token)).rows[0].token !== first)
      t.strictSame((await client.query(OWNER)).rows, [{ owner: 'initech' }], `${mode}, ${state}`)
      await client.end()
    }),
  )
  await Promise.all(renewals)
}

/** What an operator may have forgotten, and what puts it right again. */
const MISTAKES = [
  {
    tenant: 'globex',
    name: 'another schema is open to it',
    make: 'GRANT USAGE ON SCHEMA tenant_hooli TO globex',
    mend: 'REVOKE USAGE ON SCHEMA tenant_hooli FROM globex',
    says: /USAGE on schema tenant_hooli/,
  },
  {
    tenant: 'globex',
    name: 'public is open to everybody',
    make: 'GRANT USAGE ON SCHEMA public TO PUBLIC',
    mend: 'REVOKE USAGE ON SCHEMA public FROM PUBLIC',
    says: /USAGE on schema public/,
  },
  {
    tenant: 'globex',
    name: 'it is a superuser',
    make: 'ALTER ROLE globex SUPERUSER',
    mend: 'ALTER ROLE globex NOSUPERUSER',
    says: /superuser/,
  },
  {
    tenant: 'hooli',
    name: 'it is a member of another role',
    make: 'GRANT globex TO hooli',
    mend: 'REVOKE globex FROM hooli',
    says: /member of role globex/,
  },
  {
    tenant: 'initech',
    name: 'row security does not hold for it',
    make: 'ALTER ROLE app BYPASSRLS',
    mend: 'ALTER ROLE app NOBYPASSRLS',
    says: /BYPASSRLS/,
  },
  {
    tenant: 'initech',
    name: 'it owns a table',
    make: 'ALTER TABLE public.items OWNER TO app',
    mend: 'ALTER TABLE public.items OWNER TO pool; GRANT SELECT, INSERT ON public.items TO app',
    says: /owns table .*items/,
  },
  {
    tenant: 'initech',
    name: 'the key is another one',
    make: `SELECT pgusher.expire_key('town')`,
    mend: `UPDATE pgusher.kit_keys SET expires_at = 'infinity'`,
    says: /does not accept the token/,
  },
  {
    tenant: 'initech',
    name: 'there is no kit',
    make: 'ALTER SCHEMA pgusher RENAME TO elsewhere',
    mend: 'ALTER SCHEMA elsewhere RENAME TO pgusher',
    says: /is the SQL kit installed/,
  },
]

async function brokenSeals(t: Test, server: PostgresServer): Promise<void> {
  for (const mode of ['transaction', 'session']) {
    for (const { tenant, name, make, mend, says } of MISTAKES) {
      await t.test(`${name}, ${mode} mode`, async (t) => {
        const proxy = await start(t, sealedSettings(server, { pool: { mode } }))
        await sql(server, 'saas', make)
        await t.rejects(proxy.connect(tenant), { code: '57P03' })
        t.match(proxy.log(), says)
        t.match(proxy.log(), 'SEAL_BROKEN')
        await sql(server, 'saas', mend)
        const client = await proxy.connect(tenant)
        t.strictSame((await client.query(OWNER)).rows, [{ owner: tenant }], 'and once mended')
        await client.end()
      })
    }
  }
}
