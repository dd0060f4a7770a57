import t from 'tap'
import { RequestStream } from '../../src/relay/request-stream.ts'
import type { TenantVoice } from '../../src/relay/tenant-texts.ts'
import { errorResponse, parseComplete, readyForQuery } from '../../src/wire/backend-messages.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { DEAF } from '../pool/pool-fixture.ts'
import { commandComplete, FakeServer } from '../support/fake-server.ts'
import { functionCallBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig, VOICE } from './relay-fixture.ts'

const SHOWN = `SELECT E'acme' AS "pgusher.tenant"`
const REFUSED = 'REFUSED BY PGUSHER'
const SHOW = 'show pgusher.tenant'
const CHANGES = [
  "SET pgusher.tenant = 'globex'",
  "SET LOCAL pgusher.tenant = 'globex'",
  "SELECT 1; SET pgusher.tenant = 'globex'",
  'SHOW pgusher.tenant; SELECT 1',
  "PREPARE x AS SELECT set_config('pgusher.tenant', 'globex', false)",
  "SELECT 1 WHERE set_config('pgusher.tenant', 'globex', true) = 'globex'",
  "SELECT set_config('pgusher.tenant', 'globex', false)",
]
const OTHERS = ["SELECT 'pgusher.tenant'", "SET work_mem = '1MB'", 'SHOW pgusher.tenants']
const SYNTAX = errorResponse({ severity: 'ERROR', code: '42601', message: 'near "REFUSED"' })

/** What a client in session mode gets through. */
function kept(bytes: Buffer, chunkBytes: number, voice = VOICE): Buffer {
  const connection = new FakeServer().connection()
  connection.attach(DEAF)
  const requests = new RequestStream(undefined, voice)
  const passed = inChunks(bytes, chunkBytes).flatMap((chunk) => [
    ...requests.push(chunk, connection),
  ])
  return Buffer.concat(passed)
}

/** And one in transaction mode, in one turn. */
function shared(bytes: Buffer, chunkBytes: number, voice = VOICE): Buffer {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.guard = voice.guard
  const [first = Buffer.alloc(0), ...rest] = inChunks(bytes, chunkBytes)
  rig.begin(connection, first)
  for (const chunk of rest) rig.relay.request(chunk)
  return server.takeWritten()
}

for (const [mode, send] of Object.entries({ kept, shared })) {
  for (const chunkBytes of [1, 7, 10_000]) {
    t.test(`${mode}, in chunks of ${chunkBytes}`, async (t) => {
      for (const sql of CHANGES) {
        t.strictSame(send(query(sql), chunkBytes), query(REFUSED), sql)
        t.strictSame(send(parseBytes('', sql), chunkBytes), parseBytes('', REFUSED), sql)
      }
      for (const sql of OTHERS) t.strictSame(send(query(sql), chunkBytes), query(sql), sql)
      t.strictSame(send(query(SHOW), chunkBytes), query(SHOWN))
      t.strictSame(send(parseBytes('', SHOW), chunkBytes), parseBytes('', SHOWN))
    })
  }
}

/** Longer than what is held of a text. */
const REST = ` -- ${'x'.repeat(70_000)}`
const LONG_CHANGES = [
  `SET pgusher.tenant = 'globex'${REST}`,
  `/* ${'y'.repeat(9_000)} */ reset PGUSHER.tenant${REST}`,
  `SELECT 1; SET pgusher.tenant = 'globex'${REST}`,
  `SHOW pgusher.tenant${REST}`,
]
const LONG_OTHERS = [
  `SELECT 'SET pgusher.tenant = x'${REST}`,
  `SELECT 1 /* SET pgusher.tenant = 'globex' */${REST}`,
]
const BEHIND = query('SELECT 2')

for (const [mode, send] of Object.entries({ kept, shared })) {
  for (const chunkBytes of [1_000, 65_536, 200_000]) {
    t.test(`${mode}, long, in chunks of ${chunkBytes}`, async (t) => {
      const through = (bytes: Buffer) => send(Buffer.concat([bytes, BEHIND]), chunkBytes)
      for (const sql of LONG_CHANGES) {
        const name = sql.slice(0, 40)
        const refused = Buffer.concat([query(REFUSED), BEHIND])
        t.strictSame(through(query(sql)).equals(refused), true, name)
        const parse = Buffer.concat([parseBytes('', REFUSED), BEHIND])
        t.strictSame(through(parseBytes('', sql)).equals(parse), true, `Parse: ${name}`)
      }
      for (const sql of LONG_OTHERS) {
        const bytes = Buffer.concat([query(sql), BEHIND])
        t.ok(through(query(sql)).equals(bytes), sql.slice(0, 40))
      }
    })
  }
}

t.test('named, it is prepared as any statement of the tenant', async (t) => {
  const bytes = Buffer.concat([parseBytes('s', SHOW), sync()])
  t.match(shared(bytes, 10_000).toString('latin1'), SHOWN)
  t.strictSame(kept(bytes, 10_000), Buffer.concat([parseBytes('s', SHOWN), sync()]))
  const refused = Buffer.concat([parseBytes('s', CHANGES[0] ?? ''), sync()])
  t.strictSame(shared(refused, 10_000), Buffer.concat([parseBytes('', REFUSED), sync()]))
})

t.test('the refusal says whether there is a transaction', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, query('BEGIN'))
  server.say(Buffer.concat([commandComplete('BEGIN'), readyForQuery('T')]))
  rig.takeOut()
  for (const request of [query(CHANGES[0] ?? ''), parseBytes('s', CHANGES[1] ?? '')]) {
    rig.relay.request(Buffer.concat([request, sync()]))
    server.say(Buffer.concat([SYNTAX, readyForQuery('E')]))
    t.match(rig.takeOut().toString('latin1'), '25001')
    server.say(readyForQuery('E'))
    rig.takeOut()
  }
})

t.test('and where there is none', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, Buffer.concat([parseBytes('a', SHOW), query(CHANGES[1] ?? '')]))
  server.say(Buffer.concat([parseComplete(), SYNTAX, readyForQuery('I')]))
  t.match(rig.takeOut().toString('latin1'), '0A000')
})

const REFUSAL = errorResponse({ severity: 'ERROR', code: '42501', message: 'not yours' })
/** It may not LISTEN, and no text is too plain to be looked at. */
const GUARDED: TenantVoice = {
  ...VOICE,
  guard: ({ makes }) => (makes.has('listen') ? REFUSAL : undefined),
}

for (const chunkBytes of [1, 7, 10_000]) {
  t.test(`what the guard refuses in session mode, in chunks of ${chunkBytes}`, async (t) => {
    const bytes = Buffer.concat([
      query('select 1'),
      query('listen a'),
      parseBytes('s', 'listen a'),
      parseBytes('', 'notify a'),
      sync(),
    ])
    const passed = [
      query('select 1'),
      query(REFUSED),
      parseBytes('s', REFUSED),
      parseBytes('', 'notify a'),
      sync(),
    ]
    t.strictSame(kept(bytes, chunkBytes, GUARDED), Buffer.concat(passed))
    t.strictSame(kept(bytes, chunkBytes), bytes, 'without a guard')
  })
}

t.test('its error comes in the place of the text, with a guard in session mode', async (t) => {
  const server = new FakeServer()
  const connection = server.connection()
  const out: Buffer[] = []
  connection.attach({ ...DEAF, replyBytes: (bytes) => void out.push(bytes) })
  const requests = new RequestStream(undefined, GUARDED)
  requests.push(Buffer.concat([query('listen a'), query('selec')]), connection)
  server.say(Buffer.concat([SYNTAX, readyForQuery('I'), SYNTAX, readyForQuery('I')]))
  const answers = [REFUSAL, readyForQuery('I'), SYNTAX, readyForQuery('I')]
  t.strictSame(Buffer.concat(out), Buffer.concat(answers))
})

t.test('a text that is too long is not looked at', async (t) => {
  const long = query(`listen a -- ${'x'.repeat(70_000)}`)
  t.strictSame(kept(long, 10_000, GUARDED), long)
})

/** Of set_config, and of pg_backend_pid. */
const CALLS = [functionCallBytes(2078), functionCallBytes(2026)] as const

for (const chunkBytes of [1, 7, 10_000]) {
  t.test(`a call by number, in chunks of ${chunkBytes}`, async (t) => {
    const refusing = { ...VOICE, guard: () => REFUSAL }
    const bytes = Buffer.concat([...CALLS, sync()])
    const passed = Buffer.concat([query(REFUSED), CALLS[1], sync()])
    t.strictSame(kept(bytes, chunkBytes, refusing), passed)
    t.strictSame(kept(bytes, chunkBytes), bytes, 'without a guard')
    t.strictSame(shared(bytes, chunkBytes), bytes)
    t.strictSame(shared(bytes, chunkBytes, refusing), passed)
  })
}
