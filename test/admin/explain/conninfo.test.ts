import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { readConninfo } from '../../../src/admin/explain/conninfo.ts'
import { startScriptedServer } from '../../support/scripted-server.ts'

/** Each: a connection string, and the startup parameters that come of it. */
const STRINGS = [
  { text: 'postgresql://app@h/db', sent: { user: 'app', database: 'db' } },
  { text: 'postgres://app.acme:pw@h:6432', sent: { user: 'app.acme', database: 'app.acme' } },
  { text: 'postgresql://%61pp:a%3Ab%40c@h/a%2Fb', sent: { user: 'app', database: 'a/b' } },
  { text: 'postgresql://app:a:b@h/db', sent: { user: 'app', database: 'db' } },
  { text: 'postgresql:///db?user=app&host=/tmp', sent: { user: 'app', database: 'db' } },
  { text: 'postgresql://app@h/db?dbname=other', sent: { user: 'app', database: 'other' } },
  { text: 'postgresql://app@[::1]:6432/db', sent: { user: 'app', database: 'db' } },
  { text: 'postgresql://app@h:1,g:2/db', sent: { user: 'app', database: 'db' } },
  {
    text: 'postgresql://app@h/db?options=-c%20pgusher.tenant%3Dacme+x&application_name=a%26b',
    sent: {
      user: 'app',
      database: 'db',
      options: '-c pgusher.tenant=acme+x',
      application_name: 'a&b',
    },
  },
  { text: 'user=app', sent: { user: 'app', database: 'app' } },
  { text: "  user = 'a b'  dbname='it\\'s' ", sent: { user: 'a b', database: "it's" } },
  { text: 'user=a\\ b dbname=c\\\\d', sent: { user: 'a b', database: 'c\\d' } },
  { text: "user=app dbname='' password=secret", sent: { user: 'app', database: 'app' } },
  { text: "user='app'dbname=x", sent: { user: 'app', database: 'x' } },
  { text: "user=a'b dbname=x", sent: { user: "a'b", database: 'x' } },
  { text: 'user=app user=other', sent: { user: 'other', database: 'other' } },
  { text: 'user= dbname=x', sent: { user: 'dbname=x', database: 'dbname=x' } },
  {
    text: "user=app replication=database options='-c a.b=c\\\\ d'",
    sent: { user: 'app', database: 'app', replication: 'database', options: '-c a.b=c\\ d' },
  },
  {
    text: 'user=app client_encoding=LATIN1 application_name=tool',
    sent: {
      user: 'app',
      database: 'app',
      application_name: 'tool',
      client_encoding: 'LATIN1',
    },
  },
]
for (const { text, sent } of STRINGS) {
  t.test(text, async (t) => {
    const { parameters, strangers } = readConninfo(text)
    t.strictSame(Object.fromEntries(parameters), sent)
    t.strictSame(strangers, [])
  })
}

/** What the startup packet has of psql's own. */
const OF_PSQL = { application_name: 'psql' }

t.test('libpq sends the same', async (t) => {
  for (const { text, sent } of STRINGS) {
    const server = await startScriptedServer([{ expect: 'startup' }, { close: 'end' }])
    const address = `hostaddr=127.0.0.1&port=${server.port}&sslmode=disable&gssencmode=disable`
    const asPairs = address.replaceAll('&', ' ')
    const [place = text] = text.split('?')
    // Whatever host the string names, libpq is led to ours.
    const uri = text.includes('?') ? `${text}&${address}` : `${place}?${address}`
    const target = text.startsWith('postgres') ? uri.replace(':1,g:2', '') : `${text} ${asPairs}`
    const psql = spawn('/usr/bin/psql', ['-X', '-w', '-d', target, '-c', ''], {
      env: { LANG: 'C', HOME: '/nonexistent' },
      stdio: 'ignore',
    })
    await once(psql, 'close')
    await server.stop()
    const fields = server.received[0]?.toString('utf8', 4).split('\0').slice(0, -2) ?? []
    const received = new Map<string, string>()
    for (let at = 0; at < fields.length; at += 2)
      received.set(fields[at] ?? '', fields[at + 1] ?? '')
    t.strictSame(Object.fromEntries(received), { ...OF_PSQL, ...sent }, text)
  }
})

t.test('a tool may name itself where nobody else does', async (t) => {
  const named = (text: string) => readConninfo(text).parameters.get('application_name')
  t.equal(named('user=app fallback_application_name=tool'), 'tool')
  t.equal(named('application_name=mine fallback_application_name=tool'), 'mine')
})

t.test('keywords that libpq refuses are startup parameters of other drivers', async (t) => {
  const { parameters, strangers } = readConninfo(
    'postgresql://app@h/?tenant=acme&connect_timeout=3',
  )
  t.equal(parameters.get('tenant'), 'acme')
  t.equal(parameters.has('connect_timeout'), false)
  t.strictSame(strangers, ['tenant'])
})

const SERVER_NAMES = [
  { text: 'postgresql://app@Acme.DB.example.com:1/x', name: 'acme.db.example.com' },
  { text: 'host=acme.db.example.com hostaddr=127.0.0.1', name: 'acme.db.example.com' },
  { text: 'host=a.example.com,b.example.com', name: 'a.example.com' },
  { text: 'postgresql://a.example.com:1,b.example.com:2/', name: 'a.example.com' },
  { text: 'postgresql://[::1]/x', name: undefined },
  { text: 'host=10.0.0.1', name: undefined },
  { text: 'host=/var/run/postgresql', name: undefined },
  { text: 'user=app', name: undefined },
  { text: 'host=a.example.com sslsni=0', name: undefined },
  { text: 'host=a.example.com sslmode=disable', name: undefined },
]
for (const { text, name } of SERVER_NAMES) {
  t.test(`TLS by ${text} is started for ${name ?? 'no name'}`, async (t) => {
    t.equal(readConninfo(text).serverName, name)
  })
}

for (const text of [
  '',
  '   ',
  'acme',
  'user',
  'user=app dbname',
  "user='app",
  '=app',
  'postgresql://app@h/db?options',
  'postgresql://app@h/db?a=b=c',
  'postgresql://app@h/%zz',
  'postgresql://app@h/a%00b',
]) {
  t.test(`"${text}" is no connection string`, async (t) => {
    t.throws(() => readConninfo(text), /no connection string/)
  })
}

t.test('a password is in no message', async (t) => {
  t.throws(() => readConninfo('postgresql://app:hush@h/%zz'), { message: /^(?!.*hush)/ })
  const { parameters } = readConninfo('postgresql://app:hush@h/?password=hush')
  t.notMatch([...parameters].join(), /hush/)
})
