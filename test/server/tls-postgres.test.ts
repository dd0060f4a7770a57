import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { forwardCancel } from '../../src/cancel/forward-cancel.ts'
import {
  parseVerifier,
  saltPassword,
  scramKeys as scramKeysOf,
} from '../../src/wire/scram/scram.ts'
import { TestAuthority } from '../support/certificates.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import { until } from '../support/until.ts'
import {
  ask,
  LOCAL_NAMES,
  open,
  PASSWORD,
  startTlsPostgres,
  TIMEOUT_MS,
  targetOf,
  testRow,
  UNBOUND,
} from './tls-fixture.ts'

const BIG_BYTES = 8 * 1024 * 1024
const ROWS = `from generate_series(1, ${BIG_BYTES / 32}) n`
const SERVER = { commonName: 'server', altNames: LOCAL_NAMES }
const SLEEPERS = `select 1 from pg_stat_activity where wait_event = 'PgSleep'`

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const WITH_CA = `sslrootcert=${authority.caFile}`

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major}`, async (t) => {
    const own = await authority.issue(SERVER)
    const postgres = await startTlsPostgres(t, major, { own, clients: authority.own })
    await t.test('8 MB at once', (t) => testBig(t, postgres))
    await t.test('keys in place of a password', (t) => testKeys(t, postgres))
    await t.test('a wrong password is tried once', (t) => testWrongPassword(t, postgres))
    await t.test('a cancel goes the way of its connection', (t) => testCancel(t, postgres))
  })
}

/** What a server shows, and what each way of checking it makes of that. */
const CERTIFICATES = [
  {
    name: 'a certificate that has expired',
    subject: { ...SERVER, isExpired: true },
    ca: /expired/,
    full: /expired/,
  },
  {
    name: 'a certificate for another host',
    subject: { commonName: 'db.example', altNames: ['DNS:db.example'] },
    ca: 'tls',
    full: /does not match/,
  },
  {
    name: 'a certificate without alternative names',
    subject: { commonName: 'localhost' },
    host: 'localhost',
    ca: 'tls',
    full: 'tls',
  },
  {
    name: 'a signature by SHA-384',
    subject: { ...SERVER, hash: 'sha384' },
    ca: 'tls',
    full: 'tls',
  },
] as const
for (const { name, subject, ca, full, ...place } of CERTIFICATES) {
  t.test(name, async (t) => {
    const postgres = await startTlsPostgres(t, 18, {
      own: await authority.issue(subject),
      clients: authority.own,
    })
    const bound = `channel_binding=require&${WITH_CA}`
    const row = { user: 'either', ...place }
    await testRow(t, postgres, { ...row, parameters: 'sslmode=require', expects: 'tls' })
    await testRow(t, postgres, { ...row, parameters: `sslmode=verify-ca&${bound}`, expects: ca })
    await testRow(t, postgres, {
      ...row,
      parameters: `sslmode=verify-full&${bound}`,
      expects: full,
    })
  })
}

t.test('a signature without a hash can not be bound to', async (t) => {
  const edwards = await TestAuthority.create('Edwards', ['ed25519'])
  t.teardown(() => edwards.remove())
  const postgres = await startTlsPostgres(t, 18, {
    own: await edwards.issue(SERVER),
    clients: authority.own,
  })
  const parameters = `sslmode=verify-full&sslrootcert=${edwards.caFile}`
  await testRow(t, postgres, { user: 'either', parameters, expects: 'tls' })
  const bound = `${parameters}&channel_binding=require`
  await testRow(t, postgres, { user: 'either', parameters: bound, expects: UNBOUND })
})

/** On several connections at once, as all of them read through one buffer where they are plain. */
async function testBig(t: Test, postgres: PostgresServer): Promise<void> {
  const modes = ['require', 'require', 'disable', 'require']
  await Promise.all(
    modes.map(async (mode, index) => {
      const parameters = `sslmode=${mode}`
      const big = `'${index}' || string_agg(md5(n::text), '')`
      const opened = await open(targetOf(postgres, { user: 'either', parameters }))
      t.teardown(() => opened.socket.destroy())
      const answer = (await ask(opened.socket, `select ${big} ${ROWS}`)) ?? ''
      t.equal(answer.length, BIG_BYTES + 1)
      const digest = createHash('md5').update(answer).digest('hex')
      t.equal(await ask(opened.socket, `select md5(${big}) ${ROWS}`), digest)
      t.equal(await ask(opened.socket, `select md5('${answer}')`), digest)
    }),
  )
}

async function testKeys(t: Test, postgres: PostgresServer): Promise<void> {
  const found = await sql(
    postgres,
    'postgres',
    `select rolpassword from pg_authid where rolname = 'either'`,
  )
  const verifier = parseVerifier(String(found[0]?.['rolpassword']))
  if (verifier === undefined) throw new Error('no verifier')
  const scramKeys = scramKeysOf(await saltPassword(PASSWORD, verifier.salt, verifier.iterations))
  const parameters = 'sslmode=require&channel_binding=require'
  const target = targetOf(postgres, { user: 'either', parameters })
  const opened = await open({ ...target, password: undefined, scramKeys })
  opened.socket.destroy()
  const stale = { ...scramKeys, clientKey: Buffer.alloc(32, 7) }
  const refused = { code: 'SERVER_LOGIN_FAILED', serverSqlState: '28P01', isPermanent: true }
  await t.rejects(open({ ...target, password: undefined, scramKeys: stale }), refused)
  const clear = targetOf(postgres, { user: 'clear', parameters: 'sslmode=require' })
  const hopeless = { code: 'SERVER_LOGIN_FAILED', serverSqlState: undefined, isPermanent: true }
  await t.rejects(open({ ...clear, scramKeys }), hopeless)
}

async function testWrongPassword(t: Test, postgres: PostgresServer): Promise<void> {
  const attempts = () => postgres.log().split('password authentication failed').length
  for (const parameters of ['sslmode=prefer', 'sslmode=allow']) {
    const before = attempts()
    const target = { ...targetOf(postgres, { user: 'either', parameters }), password: 'wrong' }
    await t.rejects(open(target), { code: 'SERVER_LOGIN_FAILED', serverSqlState: '28P01' })
    t.equal(attempts(), before + 1)
  }
}

async function testCancel(t: Test, postgres: PostgresServer): Promise<void> {
  for (const parameters of [
    'sslmode=require',
    `sslmode=verify-full&${WITH_CA}`,
    'sslmode=disable',
  ]) {
    const target = targetOf(postgres, { user: 'either', parameters })
    const opened = await open(target)
    const answer = ask(opened.socket, 'select pg_sleep(60)')
    await until(async () => (await sql(postgres, 'postgres', SLEEPERS)).length === 1)
    await forwardCancel(target, opened, { timeoutMs: TIMEOUT_MS })
    t.equal(await answer, '57014', parameters)
    opened.socket.destroy()
  }
  const stranger = await TestAuthority.create('somebody else')
  t.teardown(() => stranger.remove())
  const target = targetOf(postgres, {
    user: 'either',
    parameters: `sslmode=prefer&sslrootcert=${stranger.caFile}`,
  })
  const key = { processId: 1, secretKey: Buffer.alloc(4), isEncrypted: true }
  const outcome = forwardCancel(target, key, { timeoutMs: TIMEOUT_MS })
  await t.rejects(outcome, { code: 'SERVER_LOGIN_FAILED' }, 'never in the clear after TLS')
}
