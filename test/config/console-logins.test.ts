import t from 'tap'
import { consoleOptions } from '../../src/config/room-options.ts'
import { load, placesOf, problemsOf } from './config-fixture.ts'

const HASH = 'a'.repeat(32)
const VERIFIER = 'SCRAM-SHA-256$4096:AAAA$AAAA:AAAA'

function loginsText(...logins: readonly string[]): string {
  return `console:\n  logins:\n${logins.map((login) => `    - { ${login} }\n`).join('')}`
}

t.test('plain passwords end where the configuration is read', async (t) => {
  const config = load(
    loginsText(
      'user: ops, password: hush hush, role: admin',
      'user: look, password: x, role: stats',
    ),
  )
  const { database, logins, maxClients, auth } = consoleOptions(config)
  t.equal(database, 'pgusher')
  t.equal(maxClients, 10)
  t.strictSame(auth, { method: 'scram-sha-256', channelBinding: 'prefer' })
  t.strictSame([...logins.keys()], ['ops', 'look'])
  t.match(logins.get('ops'), { role: 'admin', secret: { kind: 'scram' } })
  t.equal(logins.get('look')?.role, 'stats')
  t.equal(JSON.stringify(config.consoleLogins).includes('hush hush'), false)
})

for (const [method, kind] of [
  ['scram-sha-256', 'scram'],
  ['trust', 'scram'],
  ['cert', 'scram'],
  ['password', 'scram'],
  ['md5', 'md5'],
] as const) {
  t.test(`operators where auth.method is ${method}`, async (t) => {
    // Certificates need TLS, which the console does not look at.
    const env = { PGUSHER_AUTH_METHOD: method === 'cert' ? 'trust' : method }
    const config = load(loginsText('user: ops, password: pw, role: admin'), env)
    const options = consoleOptions({ ...config, auth: { ...config.auth, method } })
    t.equal(options.logins.get('ops')?.secret.kind, kind)
    t.equal(options.auth.method, kind === 'md5' || method === 'password' ? method : 'scram-sha-256')
  })
}

t.test('no logins, no console', async (t) => {
  t.equal(consoleOptions(load('')).logins.size, 0)
})

const BAD: readonly (readonly [name: string, text: string, place: string, message: RegExp])[] = [
  [
    'twice',
    loginsText('user: ops, password: a, role: admin', 'user: ops, password: b, role: stats'),
    '4:15 console.logins[1].user',
    /already a login of the console/,
  ],
  [
    'for everybody',
    loginsText("user: '*', password: a, role: stats"),
    '3:15 console.logins[0].user',
    /would let in whoever comes/,
  ],
  [
    'a broken verifier',
    loginsText(`user: ops, password: ${VERIFIER}, role: admin`),
    '3:30 console.logins[0].password',
    /begins like a SCRAM verifier/,
  ],
  [
    'an md5 hash for SCRAM',
    loginsText(`user: ops, password: md5${HASH}, role: admin`),
    '3:30 console.logins[0].password',
    /is an md5 hash/,
  ],
  ['no role', loginsText('user: ops, password: a'), '3:7 console.logins[0].role', /is missing/],
  [
    'another role',
    loginsText('user: ops, password: a, role: root'),
    '3:39 console.logins[0].role',
    /root/,
  ],
]

for (const [name, text, place, message] of BAD) {
  t.test(`a login that makes no sense: ${name}`, async (t) => {
    t.strictSame(placesOf(text), [place])
    t.match(problemsOf(text)[0]?.message, message)
  })
}
