import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lookups, sealed, startTown, TOWN_KEY, visit } from '../support/catalog-town.ts'
import { dumpDatabase } from '../support/pg-dump.ts'
import { sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { RedisServer } from '../support/redis.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

// Of the source, as the pg_dump that every machine has reads no newer one.
const town = await startTown(t, { source: 15 })
const { source, server } = town
const redis = await RedisServer.start({ args: ['--rdbcompression', 'no'] })
t.teardown(() => redis.stop())

/** Of server logins; with characters that each encoding writes in its own way. */
const PASSWORDS = Object.fromEntries(
  ['acme', 'umbrella', 'pool'].map((role) => [role, `${randomBytes(9).toString('hex')} /?+&=é%`]),
)
/** Whatever must not be seen anywhere. */
const SECRETS = [...Object.values(PASSWORDS), PASSWORD, TOWN_KEY.key]

for (const [role, password] of Object.entries(PASSWORDS)) {
  await sql(server, 'postgres', `ALTER ROLE ${role} PASSWORD '${password}'`)
}

/** All that goes into Redis, as MONITOR shows it, from now on. */
async function monitor(t: Test): Promise<() => Buffer> {
  const socket = connect(redis.port, '127.0.0.1')
  await once(socket, 'connect')
  t.teardown(async () => void socket.destroy())
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  socket.write('MONITOR\r\n')
  await until(() => chunks.length > 0)
  return () => Buffer.concat(chunks)
}

async function savedRedis(): Promise<Buffer> {
  await redis.run('SAVE')
  return readFile(join(redis.dir, 'dump.rdb'))
}

async function adminPages({ adminPort }: TestProxy): Promise<Buffer> {
  const pages = ['metrics', 'readyz'].map(async (page) => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/${page}`)
    return Buffer.from(await response.arrayBuffer())
  })
  return Buffer.concat(await Promise.all(pages))
}

/** The ways in which a secret may stand in bytes, also in the midst of others. */
function spellings(secret: string): readonly Buffer[] {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    // Without the characters that its neighbours have a part in.
    const own = text.slice(shift === 0 ? 0 : 4, -4)
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const escaped = [
    encodeURIComponent(secret),
    encodeURI(secret),
    JSON.stringify(secret).slice(1, -1),
  ]
  const hex = bytes.toString('hex')
  return [secret, ...escaped, ...base64, hex, hex.toUpperCase()].map((text) => Buffer.from(text))
}

function holdsNoSecret(t: Test, places: Readonly<Record<string, Buffer>>): void {
  for (const [place, bytes] of Object.entries(places)) {
    t.ok(bytes.length > 100, `${place} is looked at`)
    for (const secret of SECRETS) {
      t.notOk(
        spellings(secret).some((spelling) => bytes.includes(spelling)),
        place,
      )
    }
  }
}

t.test('the search finds a secret in each of its spellings', async (t) => {
  const secret = PASSWORDS['acme'] ?? ''
  const texts = [
    Buffer.from(`a ${secret} b`),
    Buffer.from(`postgresql://u:${encodeURIComponent(secret)}@h/d`),
    Buffer.from(Buffer.from(`some ${secret} more`).toString('base64url')),
    Buffer.from(Buffer.from(`x${secret}y`).toString('base64')),
    Buffer.from(Buffer.from(`xy${secret}z`).toString('hex')),
  ]
  for (const text of texts) t.ok(spellings(secret).some((spelling) => text.includes(spelling)))
})

t.test('passwords of the tables are seen by nobody', async (t) => {
  await populate()
  const monitored = await monitor(t)
  const proxy = await startTestProxy(town.settings({ redis: { url: redis.url } }))
  t.teardown(() => proxy.stop())
  await visitAll(t, proxy)
  t.equal(await visit(proxy, 'acme', { password: 'wrong' }), '28P01')
  holdsNoSecret(t, {
    monitored: monitored(),
    saved: await savedRedis(),
    dumped: Buffer.from(await dumpDatabase(source.server.url('postgres'))),
    logged: Buffer.from(proxy.log()),
    shown: await adminPages(proxy),
  })
  t.match(monitored().toString('latin1'), /v1:town:/, 'sealed they are there')
})

t.test('passwords that a query finds are seen by nobody else', async (t) => {
  await redis.run('FLUSHALL')
  await source.run(`
    CREATE TABLE public.tenant (name text PRIMARY KEY, database_url text);
    INSERT INTO public.tenant VALUES ${['acme', 'umbrella']
      .map((name) => `('${name}', '${urlWithPassword(name)}')`)
      .join()}`)
  const monitored = await monitor(t)
  const postgres = {
    url: source.server.url('postgres'),
    query: 'SELECT name, database_url FROM public.tenant WHERE name = $1',
  }
  const logins = [{ user: 'app', password: PASSWORD, tenants: '*' }]
  const proxy = await startTestProxy(
    town.settings({ postgres, redis: { url: redis.url } }, { logins }),
  )
  t.teardown(() => proxy.stop())
  for (const tenant of ['acme', 'umbrella']) t.equal(await visit(proxy, tenant), tenant)
  await source.run(`
    UPDATE public.tenant SET database_url = replace(database_url, 'postgresql', 'mysql') WHERE name = 'acme';
    NOTIFY pgusher, 'tenant acme'`)
  await redis.run('FLUSHALL')
  await until(async () => (await visit(proxy, 'acme')) === '28P01')
  await until(async () => Number(await redis.run('DBSIZE')) > 0)
  holdsNoSecret(t, {
    monitored: monitored(),
    saved: await savedRedis(),
    logged: Buffer.from(proxy.log()),
    shown: await adminPages(proxy),
  })
  t.match(proxy.log(), 'CATALOG_RECORD_REFUSED')
  t.match(monitored().toString('latin1'), /v1:town:/, 'sealed they are there')
})

function urlWithPassword(name: string): string {
  return server.url(name, { user: name, password: PASSWORDS[name] ?? '' })
}

/** The town's rows, with those passwords. */
async function populate(): Promise<void> {
  for (const name of ['acme', 'umbrella']) {
    const context = { kind: 'tenant', name, place: 'databaseUrl', version: 2 } as const
    await source.run(`UPDATE pgusher.tenants SET secrets_version = 2,
      secrets = ${sealed(PASSWORDS[name] ?? '', context)} WHERE name = '${name}'`)
  }
  const context = { kind: 'server', name: 'shared', place: 'url', version: 2 } as const
  await source.run(`UPDATE pgusher.servers SET secrets_version = 2,
    secrets = ${sealed(PASSWORDS['pool'] ?? '', context)}`)
}

/** By way of the source, and by way of Redis. */
async function visitAll(t: Test, proxy: TestProxy): Promise<void> {
  for (const tenant of ['acme', 'umbrella', 'globex', 'initech']) {
    t.equal(await visit(proxy, tenant), tenant)
  }
  await until(async () => Number(await redis.run('DBSIZE')) >= 5)
  const second = await startTestProxy(town.settings({ redis: { url: redis.url } }))
  t.teardown(() => second.stop())
  await until(async () => (await second.metric('pgusher_redis_up')) === 1)
  for (const tenant of ['acme', 'umbrella', 'globex', 'initech']) {
    t.equal(await visit(second, tenant), tenant)
  }
  t.ok((await lookups(second, 'redis', 'hit')) > 0)
  holdsNoSecret(t, { logged: Buffer.from(second.log()) })
}
