import type pg from 'pg'
import t from 'tap'
import { connect, ENVELOPE, nextPayload, startCatalogs } from './catalog-fixture.ts'

const SETUP = `
  INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@db/saas');
  INSERT INTO pgusher.tenants (name, strategy, server) VALUES
    ('globex', 'schema', 'shared'), ('hooli', 'schema', 'shared'), ('eu-*', 'schema', 'shared');
  INSERT INTO pgusher.logins ("user") VALUES ('app'), ('some user 7'), ('*');
  INSERT INTO pgusher.grants VALUES ('app', 'globex'), ('app', 'hooli');
`

/** Statements, and what is told of each; `V` stands for the version that the catalog then has. */
const TOLD: readonly (readonly [string, readonly string[]])[] = [
  [`UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'globex'`, ['tenant globex V']],
  [`UPDATE pgusher.tenants SET labels = '{}' WHERE name = 'nobody'`, []],
  [
    `UPDATE pgusher.tenants SET name = 'hal' WHERE name = 'hooli'`,
    ['tenant hal V', 'tenant hooli V'],
  ],
  [`UPDATE pgusher.tenants SET role = 'r' WHERE name = 'eu-*'`, ['all V']],
  [`UPDATE pgusher.servers SET pool_size = 5`, ['all V']],
  [`UPDATE pgusher.servers SET pool_size = 5 WHERE name = 'other'`, []],
  [
    `UPDATE pgusher.logins SET has_all_tenants = true WHERE "user" = 'some user 7'`,
    ['login some user 7 V'],
  ],
  [`UPDATE pgusher.logins SET has_all_tenants = true WHERE "user" = '*'`, ['all V']],
  [`INSERT INTO pgusher.grants VALUES ('some user 7', 'globex')`, ['tenant globex V']],
  [`INSERT INTO pgusher.grants VALUES ('app', 'eu-*')`, ['all V']],
  [`DELETE FROM pgusher.grants WHERE tenant = 'globex' AND "user" = 'app'`, ['tenant globex V']],
  [
    `DELETE FROM pgusher.logins WHERE "user" = 'some user 7'`,
    ['login some user 7 V', 'tenant globex V'],
  ],
  [`DELETE FROM pgusher.tenants WHERE name = 'globex'`, ['tenant globex V']],
  [
    `INSERT INTO pgusher.tenants (name, strategy, server)
     SELECT 't' || n, 'schema', 'shared' FROM generate_series(1, 100) AS n`,
    Array.from({ length: 100 }, (_, index) => `tenant t${index + 1} V`),
  ],
  [
    `INSERT INTO pgusher.tenants (name, strategy, server)
     SELECT 'u' || n, 'schema', 'shared' FROM generate_series(1, 101) AS n`,
    ['all V'],
  ],
  ['TRUNCATE pgusher.grants', ['all V']],
  ['TRUNCATE pgusher.tenants, pgusher.logins, pgusher.grants', ['all V']],
  ['TRUNCATE pgusher.servers CASCADE', ['all V']],
]

async function stateOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query('SELECT version FROM pgusher.state')
  return Number(rows[0].version)
}

/** What was told up to now; a last word is waited for. */
async function payloadsOf(listener: pg.Client, act: () => Promise<unknown>): Promise<string[]> {
  const payloads: string[] = []
  const hear = ({ payload = '' }: pg.Notification) => void payloads.push(payload)
  listener.on('notification', hear)
  await act()
  await listener.query(`NOTIFY pgusher, 'last'`)
  if (!payloads.includes('last')) await nextPayload(listener)
  listener.off('notification', hear)
  return payloads.filter((payload) => payload !== 'last')
}

for (const { major, server, client } of await startCatalogs(t)) {
  t.test(`${major}: takes some rows`, async () => {
    await client.query(SETUP)
  })

  t.test(`${major}: proxies are told of changes`, async (t) => {
    const listener = await connect(t, server)
    await listener.query('LISTEN pgusher')
    for (const [text, expected] of TOLD) {
      const payloads = await payloadsOf(listener, () => client.query(text))
      const version = await stateOf(client)
      // A cascade is a statement of its own, with a version between.
      const told = payloads.map((payload) => payload.replace(/\d+$/, 'V'))
      t.strictSame([...new Set(told)].sort(), [...expected].sort(), text)
      t.ok(
        payloads.every((payload) => Number(payload.split(' ').at(-1)) <= version),
        text,
      )
    }
  })

  t.test(`${major}: what is rolled back is not told`, async (t) => {
    const listener = await connect(t, server)
    await listener.query('LISTEN pgusher')
    const before = await stateOf(client)
    const payloads = await payloadsOf(listener, async () => {
      await client.query('BEGIN')
      await client.query(SETUP)
      await client.query('ROLLBACK')
    })
    t.strictSame(payloads, [])
    t.equal(await stateOf(client), before)
  })

  t.test(`${major}: all rows of a statement have its version`, async (t) => {
    await client.query(SETUP)
    await client.query(
      `UPDATE pgusher.tenants SET version = 5, labels = '{"a":"b"}' WHERE name <> 'eu-*'`,
    )
    const version = await stateOf(client)
    const { rows } = await client.query(
      'SELECT name, version, updated_at > now() AS late FROM pgusher.tenants ORDER BY name',
    )
    t.match(rows, [
      { name: 'eu-*' },
      { name: 'globex', version: String(version), late: false },
      { name: 'hooli', version: String(version), late: false },
    ])
    t.ok(Number(rows[0].version) < version)
  })

  t.test(`${major}: a row that is written by two statements has the later version`, async (t) => {
    await client.query(`
      INSERT INTO pgusher.logins ("user") VALUES ('app')
      ON CONFLICT ("user") DO UPDATE SET has_all_tenants = true`)
    const { rows } = await client.query(`SELECT version FROM pgusher.logins WHERE "user" = 'app'`)
    t.equal(Number(rows[0].version), await stateOf(client))
  })

  t.test(`${major}: versions grow in the order of commits`, async (t) => {
    await client.query('CREATE TABLE public.commits (at bigserial, name text, version bigint)')
    const writers = await Promise.all(Array.from({ length: 8 }, () => connect(t, server)))
    const write = async (writer: pg.Client, own: number) => {
      for (let round = 0; round < 20; round += 1) {
        const name = `w${own}-${round}`
        await writer.query('BEGIN')
        await writer.query(
          `INSERT INTO pgusher.tenants (name, strategy, server) VALUES ('${name}', 'schema', 'shared')`,
        )
        // The sequence is asked while the version is held, so it counts in the order of commits.
        await writer.query(
          `INSERT INTO public.commits (name, version) SELECT name, version FROM pgusher.tenants WHERE name = $1`,
          [name],
        )
        await writer.query(round % 5 === 0 ? 'ROLLBACK' : 'COMMIT')
      }
    }
    await Promise.all(writers.map((writer, own) => write(writer, own)))
    const { rows } = await client.query('SELECT version FROM public.commits ORDER BY at')
    const versions = rows.map(({ version }) => Number(version))
    t.equal(versions.length, 8 * 16)
    t.strictSame(
      versions,
      [...versions].sort((a, b) => a - b),
    )
    t.equal(new Set(versions).size, versions.length)
  })

  t.test(`${major}: a role that may write the tables needs no more`, async (t) => {
    await client.query(`
      CREATE ROLE control LOGIN;
      GRANT USAGE ON SCHEMA pgusher TO control;
      GRANT SELECT, INSERT, UPDATE, DELETE
        ON pgusher.servers, pgusher.tenants, pgusher.logins, pgusher.grants TO control`)
    const before = await stateOf(client)
    await client.query('SET ROLE control')
    t.teardown(() => client.query('RESET ROLE'))
    await client.query(`
      UPDATE pgusher.tenants SET status = 'suspended' WHERE name = 'globex';
      UPDATE pgusher.servers SET secrets = '{"url":"${ENVELOPE}"}', secrets_version = 1`)
    await t.rejects(client.query('UPDATE pgusher.state SET version = 1'), { code: '42501' })
    await client.query('RESET ROLE')
    t.equal(await stateOf(client), before + 2)
  })
}
