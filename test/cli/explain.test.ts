import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readConninfo } from '../../src/admin/explain/conninfo.ts'
import { explainRoute, type Resolver } from '../../src/admin/explain/explain-route.ts'
import { CatalogUnavailableError } from '../../src/catalog/catalog-errors.ts'
import { FileCatalog } from '../../src/catalog/file-catalog.ts'
import type { Finding } from '../../src/catalog/layers/layered-catalog.ts'
import { runExplain } from '../../src/cli/explain.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { routePolicy } from '../../src/config/room-options.ts'

const SECRET = 'hush-hush'
/** As `pg_authid` has it. */
const VERIFIER =
  'SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$EuUZMlVxBH2TH/LibOZcn+H1yhZkIhrjMV1b1x3hKvE=:Wu9ZkvrY++NfceeerhVX/0HZv3OJpjAHgXDomL5FEwY='
const CONFIG = `
logins:
  - { user: app, password: '${SECRET}', tenants: [acme, globex, initech, umbrella, vandelay] }
  - { user: own, password: '${VERIFIER}', tenants: [hooli] }
  - { user: narrow, password: '${SECRET}', tenants: [acme] }
servers:
  shared: { url: 'postgresql://pool:${SECRET}@[fd00::1]:5433/saas', maxConnections: 50 }
tenants:
  - { name: acme, strategy: database, databaseUrl: 'postgresql://owner:${SECRET}@db/acme?sslmode=require', settings: { work_mem: 8MB }, limits: { maxClients: 7 } }
  - { name: globex, strategy: schema, server: shared, role: reader }
  - { name: initech, strategy: row, server: shared, id: '42', pool: { mode: session } }
  - { name: hooli, strategy: database, databaseUrl: 'postgresql://unused@db/hooli', serverUser: client, replication: database }
  - { name: umbrella, strategy: schema, server: shared, status: suspended }
  - { name: vandelay, strategy: schema, server: shared, serverLogin: { user: vandelay, password: '${SECRET}' }, isolation: { level: sealed } }
`

const directory = mkdtempSync(join(tmpdir(), 'pgusher-explain-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'pgusher.yaml')
writeFileSync(file, CONFIG)

async function run(args: readonly string[], env: NodeJS.ProcessEnv = { PGUSHER_CONFIG: file }) {
  const said = { out: '', errors: '' }
  const exitCode = await runExplain(args, {
    env,
    stdin: (async function* () {})(),
    stdout: {
      write(text: string) {
        said.out += text
      },
    },
    stderr: {
      write(text: string) {
        said.errors += text
      },
    },
  })
  const labelled = new Map<string, string>()
  for (const line of said.out.split('\n').slice(0, -1)) {
    labelled.set(line.slice(0, 16).trimEnd(), line.slice(16))
  }
  return { exitCode, labelled, ...said }
}

/** What is told of a connection string, by label. */
async function tell(text: string) {
  const { exitCode, labelled, out, errors } = await run([text])
  t.notMatch(`${out}${errors}`, SECRET, 'no secret is shown')
  t.notMatch(out, 'SCRAM-SHA-256$')
  return { exitCode, of: (label: string) => labelled.get(label) }
}

t.test('a tenant with a database of its own', async (t) => {
  const { exitCode, of } = await tell('postgresql://app.acme:pw@proxy:6432/x')
  t.equal(exitCode, 0)
  t.equal(of('startup'), 'user=app.acme, database=x')
  t.equal(of('tenant'), 'acme')
  t.equal(of('named by'), 'user')
  t.equal(of('login'), 'app')
  t.match(of('database asked'), /^x /)
  t.equal(of('catalog'), 'tenant acme: found in file')
  t.equal(of('strategy'), 'database')
  t.match(of('level'), /^sealed: /)
  t.equal(of('server'), 'db:5432/acme')
  t.equal(of('server user'), 'owner')
  t.equal(of('tls'), 'require')
  t.equal(of('opened with'), "work_mem='8MB'")
  t.equal(of('link'), 'nothing to set')
  t.equal(of('pool'), 'acme: owner@db:5432/acme')
  t.equal(of('pool shared'), 'by nobody')
  t.equal(of('server budget'), 'none')
  t.equal(of('clients'), 'at most 7')
  t.match(of('admitted'), /^yes/)
})

t.test('a tenant of a shared server, with settings of the client', async (t) => {
  const options = '-c pgusher.tenant=globex -c work_mem=4MB'
  const { exitCode, of } = await tell(`user=app.globex options='${options}'`)
  t.equal(exitCode, 0)
  t.equal(of('named by'), 'options pgusher.tenant; user agreeing')
  t.equal(of('server'), '[fd00::1]:5433/saas')
  t.equal(of('opened with'), "search_path='pg_catalog', app.tenant_id=''")
  const calls = [
    `E'search_path', E'"tenant_globex"'`,
    `E'role', E'reader'`,
    `E'work_mem', E'4MB'`,
  ].map((values) => `pg_catalog.set_config(${values}, false)`)
  t.equal(of('link'), `BEGIN; SELECT ${calls.join(', ')}; COMMIT`)
  t.match(of('pool shared'), /that server/)
  t.match(of('level'), /^guarded: /)
  t.match(of('server budget'), /^50 connections/)
})

t.test('a sealed tenant of a shared server, with a server login of its own', async (t) => {
  const { of } = await tell('postgresql://app.vandelay@proxy/')
  t.match(of('level'), /^sealed: Postgres itself refuses/)
  t.equal(of('server'), '[fd00::1]:5433/saas')
  t.equal(of('server user'), 'vandelay')
  t.equal(of('pool'), 'vandelay: vandelay@[fd00::1]:5433/saas'.replace(/[[\]]/g, ''))
  t.equal(of('pool shared'), 'by nobody')
  t.equal(of('pool size'), '2')
})

t.test('in session mode a connection is opened for the session', async (t) => {
  const { exitCode, of } = await tell('postgresql://app.initech@proxy/')
  t.equal(exitCode, 0)
  t.equal(of('pool mode'), 'session')
  t.equal(of('opened with'), `search_path='"public"', app.tenant_id='42'`)
  t.equal(of('link'), 'nothing to set')
  t.equal(of('database asked'), undefined, 'the name of the user asks for none')
})

t.test('the server may see the user of the client', async (t) => {
  const { of } = await tell('postgresql://own.hooli@proxy/')
  t.equal(of('server user'), "own, the client's own")
  t.equal(of('pool'), 'hooli: own@db:5432/hooli')
})

const REFUSALS = [
  { text: 'user=app', code: 'NO_TAG', sqlState: '28000' },
  { text: 'host=h', code: 'NO_USER', sqlState: '28000' },
  { text: 'postgresql://app.acme@h/?tenant=globex', code: 'TAGS_DISAGREE', sqlState: '28000' },
  { text: 'user=app.Acme', code: 'MALFORMED_TENANT_NAME', sqlState: '28000' },
  {
    text: 'user=app.nobody',
    code: 'AUTHENTICATION_FAILED',
    sqlState: '28P01',
    why: /unknownTenant/,
  },
  { text: 'user=who.acme', code: 'AUTHENTICATION_FAILED', sqlState: '28P01', why: /unknownLogin/ },
  {
    text: 'user=narrow.globex',
    code: 'AUTHENTICATION_FAILED',
    sqlState: '28P01',
    why: /notGranted/,
  },
  { text: 'user=app.umbrella', code: 'TENANT_SUSPENDED', sqlState: '57P03' },
  { text: 'user=app.acme replication=yes', code: 'REPLICATION_REFUSED', sqlState: '42501' },
  { text: 'user=own.hooli replication=on', code: 'REPLICATION_REFUSED', sqlState: '42501' },
  {
    text: "user=app.globex options='-c search_path=tenant_hooli'",
    code: 'SETTING_REFUSED',
    sqlState: '42501',
  },
  { text: "user=app.acme options='-B 100'", code: 'UNSUPPORTED_OPTION', sqlState: '22023' },
]
for (const { text, code, sqlState, why } of REFUSALS) {
  t.test(`${text} is refused`, async (t) => {
    const { exitCode, of } = await tell(text)
    t.equal(exitCode, 1)
    t.equal(of('admitted'), `no: ${code}, SQLSTATE ${sqlState}`)
    t.match(of('why'), why ?? /./)
  })
}

t.test('a refused session is shown as far as it is known', async (t) => {
  const suspended = await tell('user=app.umbrella')
  t.equal(suspended.of('status'), 'suspended')
  t.match(suspended.of('link'), /tenant_umbrella/)
  const granted = await tell('user=own.hooli replication=database')
  t.equal(granted.exitCode, 0)
  t.match(granted.of('replication'), /^database/)
  const unknown = await tell('user=app.nobody')
  t.equal(unknown.of('strategy'), undefined)
  t.equal(unknown.of('client is told'), 'password authentication failed for user "app"')
})

t.test('a secret that the method can not check lets nobody in', async (t) => {
  const config = loadConfig({ file, env: {} })
  const catalog = new FileCatalog(config.records)
  const { isAdmitted, lines } = await explainRoute(
    readConninfo('user=app.acme'),
    { ...routePolicy(config), method: 'md5' },
    resolverOf(async (request) => ({ resolution: await catalog.resolve(request), findings: [] })),
  )
  t.equal(isAdmitted, false)
  t.match(new Map(lines).get('proof'), /md5.*scram/)
  t.match(new Map(lines).get('why'), /unsuitableSecret/)
})

/** Resolves as it is told, over layers that say nothing of themselves. */
function resolverOf(resolve: Resolver['resolve']): Resolver {
  return { resolve, lines: () => [] }
}

function finding(parts: Partial<Finding>): Finding {
  return {
    kind: 'tenant',
    name: 'acme',
    layer: 'memory',
    result: 'found',
    isStale: false,
    ageMs: 1200.4,
    version: 17,
    ...parts,
  }
}

t.test('what the layers said is told, also when the last one fails', async (t) => {
  const config = loadConfig({ file, env: {} })
  const conninfo = readConninfo('user=app.acme')
  const down = await explainRoute(conninfo, routePolicy(config), {
    resolve: () => Promise.reject(new CatalogUnavailableError('nobody answers')),
    lines: () => [['note', 'it is night']],
  })
  t.equal(down.isAdmitted, false)
  t.ok(down.lines.some(([, text]) => text === 'no: CATALOG_UNAVAILABLE, SQLSTATE 57P03'))
  t.ok(down.lines.some(([, text]) => text === 'it is night'))
  const refused = await explainRoute(
    conninfo,
    routePolicy(config),
    resolverOf(async () => ({
      resolution: { kind: 'refused', reason: 'unknownTenant', secret: undefined },
      findings: [
        finding({ kind: 'login', name: 'app', layer: 'redis', isStale: true }),
        finding({ layer: 'postgres', result: 'absent', ageMs: 0 }),
      ],
    })),
  )
  t.strictSame(
    refused.lines.filter(([label]) => label === 'catalog').map(([, text]) => text),
    [
      'login app: found in redis, read 1200 ms ago, as of version 17; stale: its source does not answer',
      'tenant acme: absent in postgres, read 0 ms ago, as of version 17',
    ],
  )
  await t.rejects(
    explainRoute(
      conninfo,
      routePolicy(config),
      resolverOf(() => Promise.reject(new Error('a bug'))),
    ),
    { message: 'a bug' },
  )
})

for (const args of [[], ['user=app', 'user=app'], ['--conf', 'x', 'user=app'], ['acme']]) {
  t.test(`a wrong command line: ${args.join(' ')}`, async (t) => {
    const { exitCode, out, errors } = await run(args)
    t.equal(exitCode, 2)
    t.equal(out, '')
    t.not(errors, '')
  })
}

t.test('the file is named by option or environment, and must be there', async (t) => {
  const text = 'user=app.acme'
  t.equal((await run(['--config', file, text], {})).exitCode, 0)
  t.equal((await run([text, '--config', file], {})).exitCode, 0)
  t.equal((await run([text], {})).exitCode, 2)
  t.equal((await run(['--config', join(directory, 'none.yaml'), text], {})).exitCode, 2)
})
