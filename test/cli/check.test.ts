import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { runCheck } from '../../src/cli/check.ts'

const SECRETS = { APP_PASSWORD: 'hush-1', POOL_PASSWORD: 'hush-2', ACME_PASSWORD: 'hush-3' }

function check(args: readonly string[], env: NodeJS.ProcessEnv) {
  let out = ''
  let errors = ''
  const exitCode = runCheck(args, {
    env,
    stdin: Readable.from([]),
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

const NOTES = [
  'guarded: refuses statements that leave the tenant (SET search_path, SET ROLE, …), and looks whether a connection was left as it should be',
  '  does not hold against hostile SQL: qualified names reach other schemas, and functions can hide what they set',
  "sealed: Postgres itself refuses: by a database, a server login or a signed token of the tenant's own",
  '  does not hold against rights that the server login was given beyond the tenant',
  '  see docs/isolation.md',
]

const ENDING = 'ends within 26 s of SIGTERM: keep terminationGracePeriodSeconds above that'

async function fileWith(t: Test, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-check-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'pgusher.yaml')
  await writeFile(file, text)
  return file
}

t.test('prints the tenants without secrets', async (t) => {
  const { exitCode, out, errors } = check(['--config', 'config/minimal.yaml'], SECRETS)
  t.equal(exitCode, 0)
  t.equal(errors, '')
  t.strictSame(
    out.split('\n').map((line) => line.split(/ {2,}/)),
    [
      ['TENANT', 'STRATEGY', 'LEVEL', 'WHERE', 'SERVER USER', 'POOL MODE'],
      ['acme', 'database', 'sealed', 'db:5432/acme', 'acme', 'transaction'],
      ['globex', 'schema', 'guarded', 'db:5432/saas tenant_globex', 'pool', 'transaction'],
      ['initech', 'row', 'guarded', 'db:5432/saas app.tenant_id=42', 'pool', 'transaction'],
      ...NOTES.map((line) => line.split(/ {2,}/)),
      [ENDING],
      ['configuration ok'],
      [''],
    ],
  )
})

t.test('says what the levels in use hold against, and nothing of the others', async (t) => {
  const file = await fileWith(
    t,
    `servers: { s: { url: 'postgresql://pool:hush-1@db/saas', isolation: { level: convenience } } }
isolation: { keys: [{ id: k1, key: '${Buffer.alloc(32, 7).toString('base64')}' }] }
tenants:
  - { name: a, strategy: schema, server: s }
  - { name: b, strategy: row, server: s, isolation: { level: sealed } }
  - name: c
    strategy: schema
    server: s
    serverLogin: { user: tenant_c, password: hush-2 }
    isolation: { level: sealed }`,
  )
  const { exitCode, out } = check(['--config', file], {})
  t.equal(exitCode, 0)
  t.notMatch(out, /hush|BwcHBw/)
  t.notMatch(out, /guarded/)
  t.match(out, /^a +schema +convenience +db:5432\/saas tenant_a +pool +/m)
  t.match(out, /^b +row +sealed +db:5432\/saas app\.tenant_id=b +pool +/m)
  t.match(out, /^c +schema +sealed +db:5432\/saas tenant_c +tenant_c +/m)
  t.match(out, /^convenience: keeps mistakes apart.*\n {2}does not hold against SQL that leaves/m)
  t.match(out, /^sealed: Postgres itself refuses.*\n {2}does not hold against rights/m)
})

t.test('names what the file does not list', async (t) => {
  const file = await fileWith(
    t,
    `timeouts: { drainDelayMs: 2500, drainMs: 30000 }
catalog: { postgres: { url: 'postgresql://pgusher:hush@db/control' } }
tenants: [{ name: 'eu-*', strategy: database, databaseUrl: 'postgresql://u@eu/{tenant}' }]`,
  )
  const { exitCode, out } = check(['--config', file], {})
  t.equal(exitCode, 0)
  t.strictSame(out.split('\n'), [
    'no tenants in the file',
    'template eu-* makes tenants of such names',
    'more tenants: Postgres at db:5432/control',
    'ends within 33.5 s of SIGTERM: keep terminationGracePeriodSeconds above that',
    'configuration ok',
    '',
  ])
})

t.test('takes the file from the environment', async (t) => {
  const env = { ...SECRETS, PGUSHER_CONFIG: 'config/minimal.yaml' }
  t.equal(check([], env).exitCode, 0)
})

t.test('prints every problem, a line each', async (t) => {
  const { exitCode, out, errors } = check(['--config', 'config/minimal.yaml'], {})
  t.equal(exitCode, 2)
  t.equal(out, '')
  t.strictSame(errors.match(/config\/minimal\.yaml:\d+:\d+: [^:]+(?=: .*$)/gm), [
    'config/minimal.yaml:5:28: logins[0].password',
    'config/minimal.yaml:7:18: servers.shared.url',
    'config/minimal.yaml:10:55: tenants[0].databaseUrl',
  ])
})

for (const args of [
  [],
  ['--conf', 'x'],
  ['--config'],
  ['--config', 'config/minimal.yaml', 'more'],
]) {
  t.test(`a wrong command line: ${args.join(' ')}`, async (t) => {
    const { exitCode, errors } = check(args, SECRETS)
    t.equal(exitCode, 2)
    t.not(errors, '')
  })
}
