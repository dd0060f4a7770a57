import t from 'tap'
import type { CatalogEntry } from '../../../src/catalog/entry.ts'
import { connect, ENVELOPE, openSource, startCatalogs, VERIFIER } from './catalog-fixture.ts'

const ROWS = `
  INSERT INTO pgusher.servers (name, url, pool_size, users, server_user, auth_query, secrets, secrets_version)
  VALUES ('shared', 'postgresql://pool@db/saas', 7, '{"app":{"user":"owner"}}', 'client',
    '{"cacheMs":5}', '{"url":"${ENVELOPE}"}', 1);
  INSERT INTO pgusher.servers (name, url, isolation) VALUES ('bare', 'postgresql://pool@db/bare', '{"level":"convenience"}');
  INSERT INTO pgusher.tenants (name, strategy, server, isolation, server_login, secrets, secrets_version)
  VALUES ('hooli', 'schema', 'bare', '{"level":"sealed"}', '{"user":"tenant_hooli"}', '{"serverLogin":"${ENVELOPE}"}', 1);
  INSERT INTO pgusher.tenants (name, id, strategy, server, schema, search_path, role, settings, pool, timeouts, limits, labels)
  VALUES ('globex', '7', 'schema', 'shared', 'own', '{common,other}', 'r', '{"work_mem":64}',
    '{"mode":"session"}', '{"queryMs":5}', '{"maxClients":5}', '{"plan":"gold"}');
  INSERT INTO pgusher.tenants (name, strategy, database_url, users, server_user, auth_query, replication, status, secrets, secrets_version)
  VALUES ('acme', 'database', 'postgresql://acme@db/acme', '{}', 'route', '{}', 'database', 'suspended',
    '{"databaseUrl":"${ENVELOPE}"}', 1);
  INSERT INTO pgusher.tenants (name, strategy, server) VALUES
    ('*', 'schema', 'bare'), ('eu-*', 'schema', 'bare'), ('*-test', 'schema', 'bare'),
    ('eu-*-x', 'schema', 'bare'), ('ab*', 'schema', 'bare'), ('*ab', 'schema', 'bare'),
    ('aba*aba', 'schema', 'bare'), ('eu-own', 'schema', 'bare');
  INSERT INTO pgusher.logins ("user", secret, has_all_tenants) VALUES
    ('app', '${VERIFIER}', false), ('root', NULL, true), ('É', NULL, false), ('B', NULL, false);
  INSERT INTO pgusher.grants VALUES ('app', 'globex'), ('B', 'globex'), ('É', 'globex'), ('app', 'eu-*');
`

/** Names, and the template that covers each. */
const COVERED = [
  ['initech', '*'],
  ['eu-1', 'eu-*'],
  ['eu-own', 'eu-own'],
  ['us-test', '*-test'],
  ['eu-test', '*-test'],
  ['eu-1-x', 'eu-*-x'],
  ['eu-x', 'eu-*'],
  ['ab', '*ab'],
  ['abab', '*ab'],
  ['aba', 'ab*'],
  ['ababa', 'ab*'],
  ['abaaba', 'aba*aba'],
  ['a%', '*'],
] as const

function templateOf(entry: CatalogEntry): string | undefined {
  return entry.kind === 'tenant' ? entry.document.tenant.name : undefined
}

interface Written {
  readonly labels?: { readonly round?: string }
  readonly pool?: { readonly size: number }
}

/** @throws Error - its parts were written by different transactions. */
function snapshotOf(entry: CatalogEntry): { readonly round: number; readonly asOf: number } {
  if (entry.kind !== 'tenant' || entry.document.server === undefined) throw new Error(entry.kind)
  const { tenant, server } = entry.document
  const round = Number((tenant.settings as Written).labels?.round ?? 7)
  const size = (server.settings as Written).pool?.size
  if (size !== round) throw new Error(`server of round ${size} with tenant of round ${round}`)
  if (entry.asOf !== Math.max(server.version, tenant.version) && round !== 7) {
    throw new Error(`${server.version} and ${tenant.version} as of ${entry.asOf}`)
  }
  return { round, asOf: entry.asOf }
}

for (const { major, server, client } of await startCatalogs(t)) {
  const source = openSource(t, server)
  const asOf = async () =>
    Number((await client.query('SELECT version FROM pgusher.state')).rows[0].version)
  const tenant = (name: string) => source.read({ kind: 'tenant', name })
  const login = (name: string) => source.read({ kind: 'login', name })

  t.test(`${major}: an empty catalog knows nobody`, async (t) => {
    t.strictSame(await tenant('acme'), { kind: 'absent', asOf: 1 })
    t.strictSame(await login('app'), { kind: 'absent', asOf: 1 })
    await source.check()
    await client.query(ROWS)
  })

  t.test(`${major}: levels of isolation and a server login`, async (t) => {
    t.match(await tenant('hooli'), {
      document: {
        tenant: {
          settings: { isolation: { level: 'sealed' }, serverLogin: { user: 'tenant_hooli' } },
          secrets: { serverLogin: ENVELOPE },
        },
        server: { settings: { isolation: { level: 'convenience' } } },
      },
    })
  })

  t.test(`${major}: a tenant with its server and logins`, async (t) => {
    const entry = await tenant('globex')
    t.match(entry, { kind: 'tenant', asOf: await asOf() })
    if (entry.kind !== 'tenant') return
    const { tenant: row, server: shared, logins } = entry.document
    t.strictSame(logins, ['B', 'app', 'É'])
    t.strictSame(row.settings, {
      name: 'globex',
      id: '7',
      status: 'active',
      strategy: 'schema',
      server: 'shared',
      schema: 'own',
      searchPath: ['common', 'other'],
      role: 'r',
      replication: 'none',
      settings: { work_mem: 64 },
      pool: { mode: 'session' },
      timeouts: { queryMs: 5 },
      limits: { maxClients: 5 },
      labels: { plan: 'gold' },
    })
    t.ok(row.version > 1 && row.version < entry.asOf)
    t.match({ ...shared }, { name: 'shared', secrets: { url: ENVELOPE }, secretsVersion: 1 })
    t.strictSame(shared?.settings, {
      url: 'postgresql://pool@db/saas',
      users: { app: { user: 'owner' } },
      serverUser: 'client',
      authQuery: { cacheMs: 5 },
      pool: { size: 7 },
    })
  })

  t.test(`${major}: a tenant with a database of its own`, async (t) => {
    const entry = await tenant('acme')
    if (entry.kind !== 'tenant') throw new Error('not found')
    const { version, ...row } = entry.document.tenant
    t.strictSame(row, {
      name: 'acme',
      settings: {
        name: 'acme',
        status: 'suspended',
        strategy: 'database',
        databaseUrl: 'postgresql://acme@db/acme',
        users: {},
        serverUser: 'route',
        authQuery: {},
        replication: 'database',
      },
      secrets: { databaseUrl: ENVELOPE },
      secretsVersion: 1,
    })
    t.equal(entry.document.server, undefined)
    t.strictSame(entry.document.logins, [])
  })

  for (const [name, template] of COVERED) {
    t.test(`${major}: ${name} is covered by ${template}`, async (t) => {
      t.equal(templateOf(await tenant(name)), template)
    })
  }

  t.test(`${major}: tenants of a template have its grants`, async (t) => {
    t.match(await tenant('eu-9'), { document: { logins: ['app'], server: { name: 'bare' } } })
  })

  t.test(`${major}: logins`, async (t) => {
    t.match(await login('app'), {
      kind: 'login',
      asOf: await asOf(),
      document: { user: 'app', secret: VERIFIER, hasAllTenants: false },
    })
    t.match(await login('root'), {
      document: { user: 'root', secret: undefined, hasAllTenants: true },
    })
    t.match(await login('nobody'), { kind: 'absent' })
    await client.query(`INSERT INTO pgusher.logins ("user") VALUES ('*')`)
    t.match(await login('nobody'), { document: { user: '*', secret: undefined } })
    t.match(await login('app'), { document: { user: 'app' } })
    t.match(await login(`' OR true --`), { document: { user: '*' } })
  })

  t.test(`${major}: what is dropped is not there`, async (t) => {
    await client.query(`DELETE FROM pgusher.tenants WHERE name IN ('acme', '*')`)
    t.strictSame(await tenant('acme'), { kind: 'absent', asOf: await asOf() })
  })

  t.test(`${major}: tenant and server are never of two versions`, async (t) => {
    const writer = await connect(t, server)
    const ended = new AbortController()
    const write = async () => {
      for (let round = 8; !ended.signal.aborted; round += 1) {
        await writer.query('BEGIN')
        await writer.query(
          `UPDATE pgusher.tenants SET labels = '{"round":"${round}"}' WHERE name = 'globex'`,
        )
        await writer.query(`UPDATE pgusher.servers SET pool_size = ${round} WHERE name = 'shared'`)
        await writer.query('COMMIT')
      }
    }
    const writing = write()
    const seen = new Set<number>()
    const read = async () => {
      let newest = 0
      while (seen.size < 50) {
        const { round, asOf } = snapshotOf(await tenant('globex'))
        if (asOf < newest) throw new Error(`${asOf} after ${newest}`)
        newest = asOf
        seen.add(round)
      }
    }
    await Promise.all([read(), read(), read()]).finally(() => ended.abort())
    await writing
    t.ok(seen.size >= 50)
  })

  t.test(`${major}: it needs no more than reading, and does no more`, async (t) => {
    await client.query(`
      CREATE ROLE proxy LOGIN;
      GRANT USAGE ON SCHEMA pgusher TO proxy;
      GRANT SELECT ON pgusher.state, pgusher.servers, pgusher.tenants, pgusher.logins, pgusher.grants TO proxy`)
    const { host, port } = server
    const target = {
      host,
      port,
      database: 'postgres',
      user: 'proxy',
      password: undefined,
      tls: undefined,
    }
    const reader = openSource(t, server, { target })
    t.match(await reader.read({ kind: 'tenant', name: 'globex' }), { kind: 'tenant' })
    const { rows } = await client.query(`
      SELECT application_name FROM pg_stat_activity WHERE usename = 'proxy'`)
    t.strictSame(rows, [{ application_name: 'pgusher-catalog' }])
  })
}
