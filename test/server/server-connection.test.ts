import t from 'tap'
import type { ProxyError } from '../../src/base/proxy-error.ts'
import type { ReplySink } from '../../src/server/reply-sink.ts'
import type { ServerConnection } from '../../src/server/server-connection.ts'
import type { SessionFacts } from '../../src/server/session-facts.ts'
import {
  closeComplete,
  errorResponse,
  noticeResponse,
  parameterStatus,
  parseComplete,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { cString, int32, message } from '../../src/wire/byte-writer.ts'
import { query, terminate } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { commandComplete, FakeServer, linkReplies } from '../support/fake-server.ts'
import { inChunks } from '../wire/bytes.ts'

const ACME = linkOf('acme')
const ERROR = errorResponse({ severity: 'ERROR', code: '22023', message: 'no such zone' })
const refusalOf = (code: string) => errorResponse({ severity: 'ERROR', code, message: 'no' })
const NOTICE = noticeResponse({ severity: 'NOTICE', code: '00000', message: 'hello' })
const ROW = message(BackendCode.dataRow, Buffer.from('a secret row'))
const NOTIFICATION = message(
  BackendCode.notificationResponse,
  int32(7),
  cString('channel'),
  cString('secret'),
)
const READY = readyForQuery('I')
const SELECTED = Buffer.concat([ROW, commandComplete('SELECT 1'), READY])

/** Notes what it hears, in order. */
class Notes implements ReplySink {
  readonly heard: string[] = []
  readonly bytes: Buffer[] = []
  error: ProxyError | undefined
  facts: SessionFacts | undefined

  get out(): Buffer {
    return Buffer.concat(this.bytes)
  }

  replyBytes(bytes: Buffer): void {
    this.bytes.push(bytes)
  }

  linked(): void {
    this.heard.push('linked')
  }

  factsTold(facts: SessionFacts | undefined): void {
    this.heard.push('factsTold')
    this.facts = facts
  }

  plansChanged(): void {
    this.heard.push('plansChanged')
  }

  statementsDropped(): void {
    this.heard.push('statementsDropped')
  }

  errorReported(sqlState: string, origin: string): void {
    this.heard.push(`${origin} error ${sqlState}`)
  }

  settled(): void {
    this.heard.push('settled')
  }

  drained(): void {
    this.heard.push('drained')
  }

  lost(error: ProxyError): void {
    this.heard.push('lost')
    this.error = error
  }
}

interface Served {
  readonly server: FakeServer
  readonly connection: ServerConnection
  readonly sink: Notes
}

function serve(): Served {
  const server = new FakeServer()
  const connection = server.connection()
  const sink = new Notes()
  connection.attach(sink)
  return { server, connection, sink }
}

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  t.test(`a link and a reply behind it, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection, sink } = serve()
    const request = connection.beginLink(ACME)
    t.match(request?.bytes.toString('latin1'), /^Q.*BEGIN; SELECT .*; COMMIT\0$/s)
    connection.owe('query')
    t.equal(connection.isClean, false)
    const link = [NOTIFICATION, parameterStatus('TimeZone', 'UTC'), NOTICE, linkReplies()]
    const replies = Buffer.concat([...link, NOTICE, SELECTED])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(sink.heard, ['linked', 'settled'])
    t.strictSame(sink.out, Buffer.concat([NOTICE, SELECTED]))
    t.equal(connection.link, ACME)
    t.equal(connection.parameters.get('TimeZone'), 'UTC')
    t.equal(connection.isClean, true)
    t.equal(connection.beginLink(linkOf('acme')), undefined)
  })

  t.test(`a link that fails, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection, sink } = serve()
    connection.beginLink(ACME)
    connection.owe('query')
    const replies = [commandComplete('BEGIN'), ERROR, readyForQuery('E'), SELECTED, NOTICE]
    for (const chunk of inChunks(Buffer.concat(replies), chunkBytes)) server.say(chunk)
    t.strictSame(sink.heard, ['lost'])
    t.match(sink.error, { code: 'LINK_FAILED', serverSqlState: '22023' })
    t.notMatch(sink.error?.clientMessage, /zone|acme/)
    t.equal(sink.out.length, 0)
    t.equal(server.isDestroyed, true)
    t.equal(connection.isClean, false)
  })

  const TAGS = [
    ['SET', false],
    ['RESET', false],
    ['DISCARD ALL', true],
    ['DEALLOCATE ALL', true],
    ['DEALLOCATE', false],
    ['LISTEN', true],
    ['PREPARE', true],
    ['SELECT 1', false],
    ['INSERT 0 1', false],
    ['BEGIN', false],
    ['COPY 3', false],
    ['UPDATE 1', false],
    ['', false],
  ] as const
  for (const [tag, isDirty] of TAGS) {
    t.test(`the tag "${tag}", in chunks of ${chunkBytes}`, async (t) => {
      const { server, connection, sink } = serve()
      connection.owe('query')
      const replies = Buffer.concat([commandComplete(tag), READY])
      for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
      t.equal(connection.isDirty, isDirty)
      t.strictSame(sink.out, replies)
    })
  }
}

t.test('a link that does not end at rest is a failure', async (t) => {
  const { server, connection, sink } = serve()
  connection.beginLink(ACME)
  server.say(commandComplete('BEGIN'), readyForQuery('T'))
  t.equal(sink.error?.code, 'LINK_FAILED')
})

t.test('a stray ReadyForQuery is not taken for the answer to a link', async (t) => {
  const { server, connection, sink } = serve()
  connection.beginLink(ACME)
  connection.owe('query')
  server.say(READY, linkReplies(), SELECTED)
  t.strictSame(sink.heard, ['lost'])
  t.equal(sink.error?.code, 'SERVER_LOST')
  t.equal(sink.out.length, 0)
})

const ASYNCHRONOUS = [NOTICE, NOTIFICATION, parameterStatus('TimeZone', 'PST8PDT')]

t.test('nobody hears anything while nobody is served', async (t) => {
  const { server, connection, sink } = serve()
  connection.detach(sink)
  server.say(...ASYNCHRONOUS)
  t.equal(sink.out.length, 0)
  t.equal(connection.parameters.get('TimeZone'), 'PST8PDT')
  t.equal(server.isDestroyed, false)
  const unexpected = [SELECTED, ROW, ERROR, READY, parseComplete(), Buffer.from('?\0\0\0\x04')]
  for (const bytes of unexpected) {
    const idle = serve()
    idle.connection.detach(idle.sink)
    idle.server.say(bytes, SELECTED)
    t.strictSame(idle.sink.heard, ['lost'])
    t.equal(idle.sink.out.length, 0)
    t.equal(idle.server.isDestroyed, true)
  }
})

t.test('what the server says unasked passes to who is served', async (t) => {
  const { server, sink } = serve()
  server.say(...ASYNCHRONOUS)
  t.strictSame(sink.out, Buffer.concat(ASYNCHRONOUS))
})

t.test('a notification that is half said when a link begins does not reach the next', async (t) => {
  for (let cut = 1; cut < NOTIFICATION.length; cut += 1) {
    const { server, connection, sink } = serve()
    connection.detach(sink)
    server.say(NOTIFICATION.subarray(0, cut))
    connection.attach(sink)
    connection.beginLink(ACME)
    server.say(NOTIFICATION.subarray(cut), linkReplies())
    t.equal(sink.out.length, 0, `cut at ${cut}`)
    t.equal(sink.heard[0], 'linked')
  }
})

t.test('tells when the server has let go of it', async (t) => {
  const server = new FakeServer()
  server.lingers = true
  const connection = server.connection()
  let gone = 0
  const count = () => {
    gone += 1
  }
  connection.close(count)
  t.strictSame(server.takeWritten(), terminate())
  t.equal(server.isEnded, true)
  t.equal(gone, 0)
  server.hangUp()
  t.equal(gone, 1)
  connection.close(count)
  t.equal(gone, 2, 'one that is closed is gone')
  const busy = new FakeServer()
  const working = busy.connection()
  working.owe('query')
  working.close(count)
  t.equal(busy.isDestroyed, true)
  t.equal(gone, 3, 'nor is anything awaited where the line is cut')
})

t.test('surprises close it, and nothing that came with them passes', async (t) => {
  const surprises = [
    parseComplete(),
    message(BackendCode.copyBothResponse, Buffer.alloc(3)),
    message(BackendCode.authentication, int32(0)),
    Buffer.from('?\0\0\0\x04'),
    message(BackendCode.readyForQuery, Buffer.from('?')),
    Buffer.from('Z\0\0\0\x03'),
    message(BackendCode.parameterStatus, Buffer.from('no end')),
  ]
  for (const surprise of surprises) {
    const { server, connection, sink } = serve()
    connection.owe('query')
    server.say(commandComplete('SELECT 1'))
    server.say(Buffer.concat([surprise, SELECTED]))
    t.strictSame(sink.heard, ['lost'])
    t.match(sink.error, { code: 'SERVER_LOST' })
    t.strictSame(sink.out, commandComplete('SELECT 1'))
    t.equal(server.isDestroyed, true)
    t.equal(connection.isClosed, true)
  }
})

t.test('a server that hangs up is lost, once', async (t) => {
  const rows = [
    { said: Buffer.alloc(0), isReportable: true },
    { said: ROW.subarray(0, 9), isReportable: false },
    { said: ERROR, isReportable: false },
  ]
  for (const { said, isReportable } of rows) {
    const { server, connection, sink } = serve()
    connection.owe('query')
    if (said.length > 0) server.say(said)
    server.hangUp()
    t.match(sink.error, { code: 'SERVER_LOST', isReportable })
    connection.close()
    t.equal(sink.heard.filter((word) => word === 'lost').length, 1)
    t.equal(sink.heard.at(-1), 'lost')
  }
})

t.test('counts what it answers, and tells of errors, where a client hears them', async (t) => {
  const { server, connection, sink } = serve()
  connection.owe('query')
  connection.owe('restore')
  connection.owe('query')
  server.say(commandComplete('SELECT 1'), readyForQuery('I'))
  server.say(refusalOf('42601'), readyForQuery('I'))
  t.strictSame(sink.heard, [], 'what the proxy asked for is not the client’s')
  server.say(refusalOf('23505'), readyForQuery('I'))
  t.strictSame(sink.heard, ['server error 23505', 'settled'])
  t.equal(connection.queryCount, 2)
})

t.test('only ReadyForQuery settles it', async (t) => {
  const { server, connection, sink } = serve()
  connection.owe('parse')
  server.say(parseComplete())
  t.strictSame(sink.heard, [])
  t.equal(connection.isClean, false)
  connection.owe('sync')
  server.say(READY)
  t.strictSame(sink.heard, ['settled'])
  t.equal(connection.isClean, true)
})

t.test('an invented reply comes in its place, though nothing follows it', async (t) => {
  const { server, connection, sink } = serve()
  connection.owe('parse')
  connection.owe('inventedClose')
  connection.flushInvented()
  t.equal(sink.out.length, 0)
  server.say(parseComplete())
  t.strictSame(sink.out, Buffer.concat([parseComplete(), closeComplete()]))
})

t.test('says goodbye at rest, and cuts the line else', async (t) => {
  const { server, connection } = serve()
  connection.close()
  t.strictSame(server.takeWritten(), terminate())
  const busy = serve()
  busy.connection.write(query('select 1'))
  busy.connection.owe('query')
  busy.connection.close()
  t.strictSame(busy.server.takeWritten(), query('select 1'))
  t.equal(busy.server.isDestroyed, true)
})

t.test('reads again when it is given back', async (t) => {
  const { server, connection, sink } = serve()
  connection.pause()
  t.equal(server.isPaused, true)
  connection.detach(sink)
  t.equal(server.isPaused, false)
})
