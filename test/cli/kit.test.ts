import t from 'tap'
import { runKit } from '../../src/cli/kit.ts'
import { TenantTokenSigner } from '../../src/tenancy/tenant-token.ts'
import {
  connect,
  createDatabase,
  MAJORS,
  newKey,
  processIdOf,
  startKitServer,
  tenantBy,
} from '../lifecycle/kit-fixture.ts'
import { sql } from '../support/postgres.ts'
import { runCommand } from './catalog-fixture.ts'

const run = (args: readonly string[], stdin: readonly string[] = []) =>
  runCommand(runKit, args, stdin)

const servers = await Promise.all(MAJORS.map(startKitServer))

for (const [index, server] of servers.entries()) {
  const major = MAJORS[index]
  const urlOf = (database: string) => server.url(database, { user: 'owner' })

  t.test(`${major}: installs, keeps its setting, and tends keys`, async (t) => {
    await createDatabase(server, 'saas')
    const to = ['--url', urlOf('saas')]
    t.match(await run(['--setting', 'my.tenant', ...to]), {
      exitCode: 0,
      out: 'the kit is installed; tokens are read from my.tenant\n',
    })
    t.match(await run(to), { exitCode: 0, out: /from my.tenant\n/ }, 'again, as it was')
    const key = newKey('2026')
    t.match(await run(['key', 'add', '--id', key.id, ...to], [`${key.key}\n`]), {
      exitCode: 0,
      out: 'key 2026 is valid\n',
    })
    const app = await connect(server, 'saas', 'app')
    const holder = { tenantId: 'acme', processId: await processIdOf(app) }
    const { text } = new TenantTokenSigner(key, 60_000).sign(holder, Date.now())
    await app.query(`SELECT set_config('my.tenant', $1, false)`, [text])
    t.match((await app.query('SELECT pgusher.tenant_id()')).rows, [{ tenant_id: 'acme' }])
    const soon = ['--at', '2126-01-01T00:00:00Z']
    t.match(await run(['key', 'expire', '--id', key.id, ...soon, ...to]), {
      exitCode: 0,
      out: 'key 2026 expires at 2126-01-01T00:00:00.000Z\n',
    })
    t.match((await app.query('SELECT pgusher.tenant_id()')).rows, [{ tenant_id: 'acme' }])
    t.match(await run(['key', 'expire', '--id', key.id, ...to]), {
      exitCode: 0,
      out: 'key 2026 expires now\n',
    })
    t.match((await app.query('SELECT pgusher.tenant_id()')).rows, [{ tenant_id: null }])
    await app.end()
  })

  t.test(`${major}: what is printed does the same`, async (t) => {
    await createDatabase(server, 'printed')
    const { exitCode, out } = await run(['--print'])
    t.equal(exitCode, 0)
    await sql(server, 'printed', `SET SESSION AUTHORIZATION owner; ${out}`)
    const app = await connect(server, 'printed', 'app')
    t.equal(await tenantBy(app, 'x'), null)
    await app.end()
    t.match(await run(['--url', urlOf('printed')]), { exitCode: 0, out: /from app.tenant_id\n/ })
  })

  t.test(`${major}: what Postgres refuses is said`, async (t) => {
    await createDatabase(server, 'refused')
    const weak = server.url('postgres', { user: 'app' })
    t.match(await run(['--url', weak]), { exitCode: 1, errors: /permission denied/ })
    const url = urlOf('refused')
    await run(['--url', url])
    t.match(await run(['key', 'expire', '--id', 'x', '--url', url]), {
      exitCode: 1,
      errors: /no key with the id x/,
    })
  })
}

const URL = 'postgresql://u:hush@127.0.0.1:1/d'
const MISUSES = [
  { args: [], errors: /--url/ },
  { args: ['--url', 'mysql://u:hush@h/d'], errors: /no server URL/ },
  { args: ['--print', '--setting', 'search_path'], errors: /--setting/ },
  { args: ['key'], errors: /kit key add or expire/ },
  { args: ['key', 'show'], errors: /kit key add or expire/ },
  { args: ['key', 'add', '--url', URL], errors: /--id/ },
  { args: ['key', 'add', '--id', 'a.b', '--url', URL], errors: /--id/ },
  { args: ['key', 'add', '--id', 'a', '--at', 'soon', '--url', URL], errors: /--at/ },
  { args: ['key', 'add', '--id', 'a', '--url', URL], stdin: ['hush'], errors: /32 bytes/ },
  { args: ['key', 'add', '--id', 'a', '--url', URL], errors: /stdin/ },
]
for (const { args, stdin = [], errors } of MISUSES) {
  t.test(`refuses ${args.join(' ')}, given ${stdin.length} lines`, async (t) => {
    const result = await run(args, stdin)
    t.match(result, { exitCode: 2, out: '', errors })
    t.notMatch(result.errors, /hush/)
  })
}
