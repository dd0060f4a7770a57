import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
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

t.test('prints the tenants without secrets', async (t) => {
  const { exitCode, out, errors } = check(['--config', 'config/minimal.yaml'], SECRETS)
  t.equal(exitCode, 0)
  t.equal(errors, '')
  t.strictSame(
    out.split('\n').map((line) => line.split(/ {2,}/)),
    [
      ['TENANT', 'STRATEGY', 'WHERE', 'SERVER USER', 'POOL MODE'],
      ['acme', 'database', 'db:5432/acme', 'acme', 'transaction'],
      ['globex', 'schema', 'db:5432/saas tenant_globex', 'pool', 'transaction'],
      ['initech', 'row', 'db:5432/saas app.tenant_id=42', 'pool', 'transaction'],
      ['configuration ok'],
      [''],
    ],
  )
})

t.test('names what the file does not list', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-check-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'pgusher.yaml')
  await writeFile(
    file,
    `catalog: { postgres: { url: 'postgresql://pgusher:hush@db/control' } }
tenants: [{ name: 'eu-*', strategy: database, databaseUrl: 'postgresql://u@eu/{tenant}' }]`,
  )
  const { exitCode, out } = check(['--config', file], {})
  t.equal(exitCode, 0)
  t.strictSame(out.split('\n'), [
    'no tenants in the file',
    'template eu-* makes tenants of such names',
    'more tenants: Postgres at db:5432/control',
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
