import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runCatalog } from '../../src/cli/catalog.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let out = ''
  let errors = ''
  const exitCode = await runCatalog(args, {
    env,
    stdin: (async function* () {})(),
    stdout: {
      write(text: string) {
        out += text
      },
    },
    stderr: {
      write(text: string) {
        errors += text
      },
    },
  })
  return { exitCode, out, errors }
}

/** A database of its own, and its URL. */
async function database(server: PostgresServer, name: string): Promise<string> {
  await sql(server, 'postgres', `CREATE DATABASE ${name}`)
  return server.url(name)
}

const [server15, server18] = await Promise.all([
  startPostgres({ major: 15 }),
  startPostgres({ major: 18 }),
])
t.teardown(() => Promise.all([server15.stop(), server18.stop()]))

for (const server of [server15, server18]) {
  const major = server === server15 ? 15 : 18

  t.test(`${major}: sets up once, and lets a role read`, async (t) => {
    const url = await database(server, 'fresh')
    await sql(server, 'postgres', 'CREATE ROLE "the proxy" LOGIN')
    const first = await run(['init', '--url', url, '--reader', 'the proxy'])
    t.strictSame(first, {
      exitCode: 0,
      errors: '',
      out: `schema pgusher set up: checks, tables, versions, notifications, neighbours, budgets, isolation\nrole the proxy may read it\n`,
    })
    const second = await run(['init', '--url', url])
    t.strictSame(second, { exitCode: 0, errors: '', out: 'schema pgusher is up to date\n' })
    const rows = await sql(server, 'fresh', 'SET ROLE "the proxy"; SELECT * FROM pgusher.state')
    t.match(rows, [{ version: '1' }])
    await t.rejects(sql(server, 'fresh', 'SET ROLE "the proxy"; DELETE FROM pgusher.tenants'), {
      code: '42501',
    })
  })

  t.test(`${major}: takes the URL from the configuration`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'pgusher-init-'))
    t.teardown(() => rmSync(dir, { recursive: true }))
    const file = join(dir, 'pgusher.yaml')
    const url = await database(server, 'configured')
    writeFileSync(file, JSON.stringify({ catalog: { postgres: { url } } }))
    t.match(await run(['init', '--config', file]), { exitCode: 0, out: /set up/ })
    t.match(await run(['init'], { PGUSHER_CONFIG: file }), { exitCode: 0, out: /up to date/ })
    writeFileSync(file, '{}')
    t.match(await run(['init', '--config', file]), { exitCode: 2, errors: /catalog.postgres.url/ })
  })

  t.test(`${major}: what is printed does the same`, async (t) => {
    const url = await database(server, 'printed')
    await sql(server, 'postgres', 'CREATE ROLE reader LOGIN')
    const { exitCode, out, errors } = await run(['init', '--print', '--reader', 'reader'])
    t.strictSame({ exitCode, errors }, { exitCode: 0, errors: '' })
    await sql(server, 'printed', out)
    t.match(await run(['init', '--url', url]), {
      exitCode: 0,
      out: 'schema pgusher is up to date\n',
    })
    t.equal(
      (await sql(server, 'printed', 'SET ROLE reader; SELECT * FROM pgusher.state')).length,
      1,
    )
  })

  t.test(`${major}: a newer database is a failure, not a usage`, async (t) => {
    const url = await database(server, 'newer')
    await run(['init', '--url', url])
    await sql(server, 'newer', `INSERT INTO pgusher.migrations VALUES (99, 'later', 'x')`)
    const { exitCode, errors } = await run(['init', '--url', url])
    t.equal(exitCode, 1)
    t.match(errors, /^pgusher: the database is newer than this program: step 99, later,/)
  })

  t.test(`${major}: what Postgres refuses is said`, async (t) => {
    const url = await database(server, 'refused')
    t.match(await run(['init', '--url', url, '--reader', 'nobody']), {
      exitCode: 1,
      errors: /nobody/,
    })
    await sql(server, 'postgres', 'CREATE ROLE weak LOGIN')
    const weak = server.url('postgres', { user: 'weak' })
    t.match(await run(['init', '--url', weak]), { exitCode: 1, errors: /permission denied/ })
  })
}

const MISUSES = [
  { args: [], errors: /catalog init, rekey or seal/ },
  { args: ['make'], errors: /catalog init, rekey or seal/ },
  { args: ['init'], errors: /--config FILE/ },
  { args: ['init', '--url', 'mysql://u:hush@h/d'], errors: /no server URL/ },
  { args: ['init', '--bogus'], errors: /bogus/ },
]
for (const { args, errors } of MISUSES) {
  t.test(`refuses ${JSON.stringify(args)}`, async (t) => {
    const result = await run(args)
    t.match(result, { exitCode: 2, out: '', errors })
    t.notMatch(result.errors, /hush/)
  })
}

t.test('a server that is not there is a failure', async (t) => {
  t.match(await run(['init', '--url', 'postgresql://u:hush@127.0.0.1:1/d']), {
    exitCode: 1,
    errors: /ECONNREFUSED/,
  })
})
