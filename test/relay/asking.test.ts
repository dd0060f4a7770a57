import t from 'tap'
import type { FactsWanted } from '../../src/server/session-facts.ts'
import {
  errorResponse,
  noticeResponse,
  parameterStatus,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { cString, int32, message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { commandComplete, dataRow, factsReplies, linkReplies } from '../support/fake-server.ts'
import { bindBytes, executeBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const CHUNKS = [1, 2, 3, 5, 7, 64, 10_000]
const WANTED: FactsWanted = {
  kinds: new Set(['listen']),
  settings: ['jit'],
  customSettings: [],
}
const FIRST = query('listen a')
const NEXT = [query('select 2'), query('select 3')]
const READY = readyForQuery('I')
const ANSWER = Buffer.concat([commandComplete('SELECT 1'), READY])
const ERROR = errorResponse({ severity: 'ERROR', code: '57014', message: 'canceled' })
const FACTS = factsReplies(['kind', 'listen', ''], ['setting', 'jit', 'off'])
const NOTIFICATION = message(
  BackendCode.notificationResponse,
  int32(7),
  cString('a'),
  cString('hello'),
)

function asking(): { rig: RelayRig } & ReturnType<typeof freshServer> {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, FIRST)
  server.say(commandComplete('LISTEN'), READY)
  rig.takeOut()
  server.takeWritten()
  rig.relay.ask(WANTED)
  return { rig, server, connection }
}

for (const chunkBytes of CHUNKS) {
  t.test(`requests are held while the server is asked, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = asking()
    t.match(server.takeWritten().toString('latin1'), /^Q.*pg_listening_channels.*jit/s)
    for (const chunk of inChunks(Buffer.concat(NEXT), chunkBytes)) rig.relay.request(chunk)
    t.equal(server.written.length, 0)
    t.equal(rig.isPaused, true)
    const noise = noticeResponse({ severity: 'NOTICE', code: '00000', message: 'hello' })
    const whole = Buffer.concat([NOTIFICATION, FACTS, ANSWER, noise, ANSWER])
    for (const chunk of inChunks(whole, chunkBytes)) server.say(chunk)
    t.strictSame(server.takeWritten(), Buffer.concat(NEXT))
    t.strictSame(rig.takeOut(), Buffer.concat([NOTIFICATION, ANSWER, noise, ANSWER]))
    t.strictSame(rig.turns, ['settled', 'told', 'settled'])
    t.strictSame([...(rig.facts?.kinds ?? [])], ['listen'])
    t.strictSame([...(rig.facts?.settings ?? [])], [['jit', 'off']])
    t.equal(rig.isPaused, false)
  })

  t.test(`what comes unasked among the answer passes, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = asking()
    const status = parameterStatus('TimeZone', 'UTC')
    const head = message(BackendCode.rowDescription, Buffer.alloc(2))
    const row = dataRow(['kind', 'listen', ''])
    const said = [head, NOTIFICATION, row, status, commandComplete('SELECT 1'), READY]
    for (const chunk of inChunks(Buffer.concat(said), chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([NOTIFICATION, status]))
    t.strictSame(rig.turns, ['settled', 'told', 'settled'])
  })

  t.test(`a server that can't say, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = asking()
    for (const chunk of inChunks(Buffer.concat([ERROR, READY]), chunkBytes)) server.say(chunk)
    t.equal(rig.takeOut().length, 0)
    t.equal(rig.facts, undefined)
    t.strictSame(rig.turns, ['settled', 'told', 'settled'])
  })

  t.test(`a difference is told before the first reply, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection } = freshServer()
    const rig = new RelayRig()
    rig.beginLinking(connection, query('select 1'))
    const change = parameterStatus('TimeZone', 'PST8PDT')
    const replies = Buffer.concat([change, linkReplies(), ANSWER])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([change, ANSWER]))
    t.equal(rig.relay.takeChangedParameters().size, 0)
    rig.relay.end()
    const other = freshServer()
    rig.begin(other.connection, query('select 1'))
    t.equal(rig.takeOut().length, 0, 'what the other does not report is left')
    other.server.say(parameterStatus('TimeZone', 'UTC'), ANSWER)
    t.strictSame([...rig.relay.takeChangedParameters()], [['TimeZone', 'UTC']])
    t.equal(rig.relay.takeChangedParameters().size, 0)
    rig.relay.end()
    rig.takeOut()
    rig.begin(connection, query('select 1'))
    t.strictSame(rig.takeOut(), change)
  })
}

t.test('half a request is held with the rest, and ends no turn', async (t) => {
  const { rig, server } = asking()
  server.takeWritten()
  const [whole = READY] = NEXT
  rig.relay.request(whole.subarray(0, 3))
  server.say(FACTS)
  t.strictSame(rig.turns, ['settled', 'told'])
  t.equal(server.takeWritten().length, 0)
  rig.relay.request(whole.subarray(3))
  t.strictSame(server.takeWritten(), whole)
  server.say(ANSWER)
  t.strictSame(rig.turns, ['settled', 'told', 'settled'])
})

t.test('a request that breaks the protocol while the server is asked', async (t) => {
  const { rig, server } = asking()
  rig.relay.request(Buffer.from('?\0\0\0\x04'))
  server.say(FACTS)
  t.equal(rig.error?.code, 'PROTOCOL_VIOLATION')
  t.strictSame(rig.turns, ['settled', 'told', 'lost'])
})

t.test('what was held is not sent for a client that is gone', async (t) => {
  const { rig, server } = asking()
  server.takeWritten()
  rig.relay.request(query('delete from t'))
  rig.relay.dropHeld()
  server.say(FACTS)
  t.equal(server.takeWritten().length, 0)
})

t.test('a server that is lost while it is asked', async (t) => {
  const farewell = errorResponse({ severity: 'FATAL', code: '57P01', message: 'going' })
  for (const said of [Buffer.alloc(0), FACTS.subarray(0, 20), farewell]) {
    const { rig, server } = asking()
    if (said.length > 0) server.say(said)
    server.hangUp()
    t.match(rig.error, { code: 'SERVER_LOST', isReportable: true })
    t.equal(rig.takeOut().length, 0)
  }
})

t.test('an answer that was not asked for loses the connection', async (t) => {
  const bad = [
    message(BackendCode.dataRow, Buffer.from([0, 9])),
    message(BackendCode.copyOutResponse, Buffer.alloc(3)),
    READY,
  ]
  for (const bytes of bad) {
    const { rig, server } = asking()
    server.say(bytes)
    t.equal(rig.error?.code, 'SERVER_LOST')
    t.equal(rig.takeOut().length, 0)
  }
})

t.test('asks only while bytes flow', async (t) => {
  const { server } = freshServer()
  const rig = new RelayRig()
  rig.relay.ask(WANTED)
  t.equal(server.written.length, 0)
  t.equal(rig.relay.takeChangedParameters().size, 0)
})

t.test('the question takes the place of the unnamed statement', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const prepared = parseBytes('', 'select 5')
  const use = Buffer.concat([bindBytes('', ''), executeBytes(''), sync()])
  rig.begin(connection, Buffer.concat([prepared, sync()]))
  server.say(message(BackendCode.parseComplete), READY)
  rig.relay.ask(WANTED)
  server.takeWritten()
  server.say(FACTS)
  rig.relay.request(use)
  t.strictSame(server.takeWritten(), Buffer.concat([prepared, use]))
})
