import type { Client } from 'pg'
import t, { type Test } from 'tap'
import { KeyRing, keyIdOf } from '../../src/catalog/sealing/key-ring.ts'
import { openRow } from '../../src/catalog/sealing/sealed-settings.ts'
import { SecretsTable } from '../../src/catalog/sealing/secrets-table.ts'
import { runSeal } from '../../src/cli/catalog-seal.ts'
import { randomKey, startCatalog } from '../catalog/sealing/catalog-fixture.ts'
import { type CommandResult, configWith, runCommand } from './catalog-fixture.ts'

const KEY = randomKey('k1')
const OLD_KEY = randomKey('k0')
const RING = new KeyRing([KEY])
const CONFIG = ['--config', configWith({ keys: [KEY] })]

const ENVELOPES = [
  { args: ['--tenant', 'acme'], kind: 'tenant', name: 'acme', place: 'databaseUrl' },
  { args: ['--server', 'my shared'], kind: 'server', name: 'my shared', place: 'url' },
  {
    args: ['--tenant', 'eu-*', '--place', 'users.o.neil'],
    kind: 'tenant',
    name: 'eu-*',
    place: 'users.o.neil',
  },
  {
    args: ['--tenant', 'hooli', '--place', 'serverLogin'],
    kind: 'tenant',
    name: 'hooli',
    place: 'serverLogin',
  },
  {
    args: ['--server', 'shared', '--place', 'authQuery.url'],
    kind: 'server',
    name: 'shared',
    place: 'authQuery.url',
  },
] as const

for (const { args, ...context } of ENVELOPES) {
  t.test(
    `prints an envelope for ${context.place} of ${context.kind} ${context.name}`,
    async (t) => {
      const all = [...CONFIG, ...args, '--version', '3']
      // Cut inside a character.
      const bytes = Buffer.from('hüsh\n')
      const result = await runCommand(runSeal, all, [bytes.subarray(0, 2), bytes.subarray(2)])
      t.match(result, { exitCode: 0, errors: '' })
      t.match(result.out, /^v1:k1:[^\n]*\n$/)
      t.equal(RING.open(result.out.trimEnd(), { ...context, version: 3 }), 'hüsh')
    },
  )
}

for (const line of ['hush', 'hush\n', 'hush\r\n']) {
  t.test(`reads ${JSON.stringify(line)}`, async (t) => {
    const args = [...CONFIG, '--tenant', 'acme', '--version', '1']
    const { out } = await runCommand(runSeal, args, [line])
    const context = { kind: 'tenant', name: 'acme', place: 'databaseUrl', version: 1 } as const
    t.equal(RING.open(out.trimEnd(), context), 'hush')
  })
}

for (const text of ['', '\n', 'one\ntwo\n', 'hu\0sh', Buffer.from('h\xfcsh', 'latin1')]) {
  t.test(`refuses ${JSON.stringify(text)} as a password`, async (t) => {
    const args = [...CONFIG, '--tenant', 'acme', '--version', '1']
    const { exitCode, out, errors } = await runCommand(runSeal, args, [text])
    t.strictSame([exitCode, out], [2, ''])
    t.notMatch(errors, 'one\n')
    t.notMatch(errors, 'sh,')
  })
}

const MISUSES = [
  ['--version', '1'],
  ['--tenant', '', '--version', '1'],
  ['--tenant', 'a', '--server', 'b', '--version', '1'],
  ['--tenant', 'a'],
  ['--tenant', 'a', '--version', '1', '--write'],
  ['--tenant', 'a', '--remove', '--write'],
  ['--tenant', 'a', '--version', '0'],
  ['--tenant', 'a', '--version', '2147483648'],
  ['--tenant', 'a', '--version', '1x'],
  ['--tenant', 'a', '--version', '1', '--place', 'url'],
  ['--server', 'a', '--version', '1', '--place', 'databaseUrl'],
  ['--tenant', 'a', '--version', '1', '--place', 'users.'],
  ['--server', 'a', '--version', '1', '--place', 'serverLogin'],
  ['--tenant', 'a', '--version', '1', '--password', 'hush'],
  ['--tenant', 'a', '--write'],
]

for (const args of MISUSES) {
  t.test(`refuses ${args.join(' ')}`, async (t) => {
    const { exitCode, out } = await runCommand(runSeal, [...CONFIG, ...args], ['hush'])
    t.strictSame([exitCode, out], [2, ''])
  })
}

t.test('seals nothing without a key that others have', async (t) => {
  const args = ['--config', configWith({}), '--tenant', 'acme', '--version', '1']
  t.match(await runCommand(runSeal, args, ['hush']), { exitCode: 2, out: '' })
})

/** Runs the command against a catalog. */
type Seal = (args: readonly string[], secret?: string) => Promise<CommandResult>

interface SealCase {
  readonly name: string
  test(t: Test, seal: Seal, client: Client): Promise<void>
}

async function openedRow(client: Client, kind: 'tenant' | 'server', name: string) {
  const row = await new SecretsTable(client, kind).row(name)
  return row && openRow(row, kind, RING)
}

const CASES: readonly SealCase[] = [
  {
    name: 'a first password, a second one, and one that goes',
    async test(t, seal, client) {
      const users = ['--tenant', 'acme', '--place', 'users.app']
      t.match(await seal(['--tenant', 'acme', '--write'], 'one'), { exitCode: 0 })
      t.match(await seal([...users, '--write'], 'two'), {
        exitCode: 0,
        errors: '',
        out: 'tenant acme: users.app sealed with k1, secrets_version 2\n',
      })
      t.match(await openedRow(client, 'tenant', 'acme'), {
        databaseUrl: 'postgresql://app:one@db/acme',
        users: { app: { user: 'x', password: 'two' } },
      })
      t.match(await seal(['--tenant', 'acme', '--write'], 'three'), { exitCode: 0 })
      t.match(await seal([...users, '--remove']), { exitCode: 0 })
      t.match(await openedRow(client, 'tenant', 'acme'), {
        databaseUrl: 'postgresql://app:three@db/acme',
        users: { app: { user: 'x' } },
      })
      t.match(await seal([...users, '--remove']), { exitCode: 1, out: '' })
    },
  },
  {
    name: 'the server login of a tenant',
    async test(t, seal, client) {
      const place = ['--place', 'serverLogin', '--write']
      t.match(await seal(['--tenant', 'acme', ...place], 'one'), { exitCode: 1, out: '' })
      t.match(await seal(['--tenant', 'hooli', ...place], 'one'), {
        exitCode: 0,
        out: 'tenant hooli: serverLogin sealed with k1, secrets_version 1\n',
      })
      t.match(await openedRow(client, 'tenant', 'hooli'), {
        serverLogin: { user: 'tenant_hooli', password: 'one' },
      })
    },
  },
  {
    name: 'a server, and several writers at once',
    async test(t, seal, client) {
      const secrets = ['one', 'two', 'three', 'four']
      const results = await Promise.all(
        secrets.map((secret) => seal(['--server', 'shared', '--write'], secret)),
      )
      t.strictSame(
        results.map(({ out }) => Number(/\d+$/.exec(out.trim())?.[0])).sort(),
        [1, 2, 3, 4],
      )
      t.match(await openedRow(client, 'server', 'shared'), {
        url: /^postgresql:\/\/pool:(one|two|three|four)@db\/saas$/,
      })
    },
  },
  {
    name: 'nothing that a proxy would refuse',
    async test(t, seal, client) {
      const before = await client.query('SELECT * FROM pgusher.tenants')
      const refused = [
        ['--tenant', 'globex', '--write'],
        ['--tenant', 'acme', '--place', 'users.other', '--write'],
        ['--tenant', 'acme', '--place', 'authQuery.url', '--write'],
      ]
      for (const args of refused) {
        const { exitCode, out, errors } = await seal(args, 'hush')
        t.strictSame([exitCode, out], [1, ''], args.join(' '))
        t.notMatch(errors, 'hush')
      }
      const after = await client.query('SELECT * FROM pgusher.tenants')
      t.strictSame(after.rows, before.rows)
    },
  },
  {
    name: 'the others of the row with the first key as well',
    async test(t, seal, client) {
      const old = new KeyRing([OLD_KEY])
      const context = { kind: 'tenant', name: 'old', place: 'databaseUrl', version: 1 } as const
      await client.query(
        `INSERT INTO pgusher.tenants (name, strategy, database_url, users, secrets, secrets_version)
         VALUES ('old', 'database', 'postgresql://app@db/old', '{"app":{"user":"x"}}', $1, 1)`,
        [JSON.stringify({ databaseUrl: old.seal('one', context) })],
      )
      await seal(['--tenant', 'old', '--place', 'users.app', '--write'], 'two')
      const row = await new SecretsTable(client, 'tenant').row('old')
      t.strictSame(Object.values(row?.secrets ?? {}).map(keyIdOf), ['k1', 'k1'])
    },
  },
  {
    name: 'says when the tables are not there',
    async test(t, seal, client) {
      await client.query('DROP SCHEMA pgusher CASCADE')
      const { exitCode, errors } = await seal(['--tenant', 'acme', '--write'], 'hush')
      t.equal(exitCode, 1)
      t.match(errors, /pgusher/)
      t.notMatch(errors, 'hush')
    },
  },
]

for (const major of [15, 18] as const) {
  t.test(`writes into the catalog of Postgres ${major}`, async (t) => {
    const { client, server } = await startCatalog(t, major)
    const postgres = { url: server.url('postgres', { user: 'tender' }) }
    const config = ['--config', configWith({ keys: [KEY, OLD_KEY], postgres })]
    await client.query(`
      CREATE ROLE tender LOGIN;
      GRANT USAGE ON SCHEMA pgusher TO tender;
      GRANT SELECT, UPDATE (secrets, secrets_version) ON pgusher.tenants, pgusher.servers TO tender;
      INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@db/saas');
      INSERT INTO pgusher.tenants (name, strategy, database_url, users)
        VALUES ('acme', 'database', 'postgresql://app@db/acme', '{"app":{"user":"x"}}');
      INSERT INTO pgusher.tenants (name, strategy, server, server_login)
        VALUES ('hooli', 'schema', 'shared', '{"user":"tenant_hooli"}')`)
    const seal: Seal = (args, secret) =>
      runCommand(runSeal, [...config, ...args], secret === undefined ? [] : [secret])
    for (const { name, test } of CASES) t.test(name, (t) => test(t, seal, client))
  })
}

t.test('says when nobody answers', async (t) => {
  const postgres = { url: 'postgresql://app@127.0.0.1:1/catalog' }
  const args = ['--config', configWith({ keys: [KEY], postgres }), '--tenant', 'acme', '--write']
  t.match(await runCommand(runSeal, args, ['hush']), { exitCode: 1, out: '' })
})
