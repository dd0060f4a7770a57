import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { TenantDocument } from '../../../src/catalog/entry.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { openSource, startCatalogs } from './catalog-fixture.ts'

const TABLE = `
  CREATE TABLE public.tenant (
    id integer, name text, "databaseUrl" text, strategy text, server text, users jsonb,
    auth_query jsonb, settings jsonb, search_path text[], server_user text, revision bigint);
  INSERT INTO public.tenant (id, name, "databaseUrl") VALUES
    (7, 'acme', 'postgresql://acme:hush%40@db:5432/acme?sslmode=require'),
    (8, 'free', 'postgresql://free@db/free'),
    (9, 'broken', 'host=db password=hush'),
    (10, 'twice', 'postgresql://one@db/one'),
    (11, 'twice', 'postgresql://two@db/two');
  INSERT INTO public.tenant (id, name, server, search_path) VALUES (12, 'globex', 'shared', '{common}');
  INSERT INTO public.tenant (id, name, server, strategy, revision) VALUES (13, 'initech', 'shared', 'row', 55);
  INSERT INTO public.tenant (name, "databaseUrl", users, auth_query, settings, server_user, revision) VALUES
    ('full', 'postgresql://full:one@db/full',
      '{"app":{"user":"owner","password":"two"},"web":{"user":"web"}}',
      '{"url":"postgresql://asker:three@db/postgres","cacheMs":5}', '{"work_mem":64}', 'client', 56);
`
const ALL_COLUMNS = `
  SELECT id, name, "databaseUrl", strategy, server, users, auth_query, settings, search_path, server_user
  FROM public.tenant WHERE name = $1`
const REFUSED = { code: 'CATALOG_RECORD_REFUSED' }

const keyRing = new KeyRing([{ id: 'k1', key: randomBytes(32).toString('base64') }])

function openSecrets({ tenant }: TenantDocument): Record<string, string> {
  const { name, secrets, secretsVersion: version } = tenant
  return Object.fromEntries(
    Object.entries(secrets).map(([place, envelope]) => [
      place,
      keyRing.open(envelope, { kind: 'tenant', name, place, version }),
    ]),
  )
}

for (const { major, server, client } of await startCatalogs(t)) {
  const asking = (text: string) => openSource(t, server, { query: { text, keyRing } })
  const read = (name: string, text = ALL_COLUMNS) => asking(text).read({ kind: 'tenant', name })
  const documentOf = async (name: string, text?: string): Promise<TenantDocument> => {
    const entry = await read(name, text)
    if (entry.kind !== 'tenant') throw new Error(entry.kind)
    return entry.document
  }

  t.test(`${major}: takes some rows`, async () => {
    await client.query(TABLE)
  })

  t.test(`${major}: a tenant with a database of its own`, async (t) => {
    const document = await documentOf('acme')
    t.strictSame(document.tenant.settings, {
      name: 'acme',
      id: '7',
      strategy: 'database',
      databaseUrl: 'postgresql://acme@db:5432/acme?sslmode=require',
    })
    t.strictSame(openSecrets(document), { databaseUrl: 'hush@' })
    t.equal(document.tenant.secretsVersion, 1)
    t.equal(document.server, undefined)
    t.strictSame(document.logins, [])
    t.notMatch(JSON.stringify(document), /hush/)
  })

  t.test(`${major}: all places of passwords`, async (t) => {
    const document = await documentOf('full')
    t.strictSame(openSecrets(document), {
      databaseUrl: 'one',
      'users.app': 'two',
      'authQuery.url': 'three',
    })
    t.match(document.tenant.settings, {
      users: { app: { user: 'owner' }, web: { user: 'web' } },
      authQuery: { url: 'postgresql://asker@db/postgres', cacheMs: 5 },
      settings: { work_mem: 64 },
      serverUser: 'client',
    })
    t.notMatch(JSON.stringify(document.tenant.settings), /one|two|three/)
  })

  t.test(`${major}: a level, and a server login with its password`, async (t) => {
    const text = `SELECT name, server, '{"level":"sealed"}'::jsonb AS isolation,
      '{"user":"tenant_globex","password":"hush"}'::jsonb AS server_login
      FROM public.tenant WHERE name = $1`
    const document = await documentOf('globex', text)
    t.match(document.tenant.settings, {
      isolation: { level: 'sealed' },
      serverLogin: { user: 'tenant_globex' },
    })
    t.strictSame(openSecrets(document), { serverLogin: 'hush' })
    t.notMatch(JSON.stringify(document), /hush/)
  })

  t.test(`${major}: no password, no envelope`, async (t) => {
    t.strictSame((await documentOf('free')).tenant.secrets, {})
  })

  t.test(`${major}: the strategy, given or guessed`, async (t) => {
    t.match((await documentOf('globex')).tenant.settings, {
      strategy: 'schema',
      server: 'shared',
      searchPath: ['common'],
    })
    t.match((await documentOf('initech')).tenant.settings, { strategy: 'row', id: '13' })
  })

  t.test(`${major}: no row, no tenant; no logins at all`, async (t) => {
    t.match(await read('nobody'), { kind: 'absent' })
    t.match(await asking(ALL_COLUMNS).read({ kind: 'login', name: 'acme' }), { kind: 'absent' })
  })

  t.test(`${major}: answers without a version grow by the clock`, async (t) => {
    const first = await read('acme')
    const second = await read('nobody')
    t.ok(Number.isSafeInteger(first.asOf))
    t.ok(second.asOf > first.asOf)
    t.ok(Math.abs(first.asOf / 1000 - Date.now()) < 60_000)
  })

  t.test(`${major}: a version of its own`, async (t) => {
    const text =
      'SELECT name, server, strategy, revision AS version FROM public.tenant WHERE name = $1'
    const entry = await read('initech', text)
    t.match(entry, { asOf: 55, document: { tenant: { version: 55 } } })
    t.notHas(await documentOf('initech', text), { tenant: { settings: { version: 55 } } })
    await t.rejects(read('x', `SELECT 'a'::text AS version, $1::text AS name`), REFUSED)
    await t.rejects(read('x', 'SELECT 1.5::float AS version, $1::text AS name'), REFUSED)
  })

  const refusals = [
    ['twice', ALL_COLUMNS, /2 rows/],
    ['broken', ALL_COLUMNS, /databaseUrl/],
    ['acme', `SELECT 1 AS plan, 2 AS "Size" WHERE $1 <> ''`, /plan, Size/],
    ['acme', `SELECT $1::text AS name, 'a' AS database_url, 'b' AS "databaseUrl"`, /databaseUrl/],
    ['acme', `SELECT 'other' AS name WHERE $1 <> ''`, /another name/],
    ['acme', `SELECT '{"app":"x"}'::jsonb AS users WHERE $1 <> ''`, /users/],
  ] as const
  for (const [name, text, message] of refusals) {
    t.test(`${major}: ${text} for ${name} is refused`, async (t) => {
      await t.rejects(read(name, text), { ...REFUSED, message })
    })
  }

  t.test(`${major}: it can't write, and needs the names of schemas`, async (t) => {
    await client.query(`
      CREATE FUNCTION public.forget(text) RETURNS text LANGUAGE sql
        AS 'DELETE FROM public.tenant RETURNING name'`)
    const failed = { code: 'CATALOG_LAYER_FAILED', cause: { code: '25006' } }
    await t.rejects(read('acme', 'SELECT public.forget($1) AS name'), failed)
    const unnamed = { code: 'CATALOG_LAYER_FAILED', cause: { code: '42P01' } }
    await t.rejects(read('acme', 'SELECT name FROM tenant WHERE name = $1'), unnamed)
    t.match(await read('acme'), { kind: 'tenant' })
  })
}
