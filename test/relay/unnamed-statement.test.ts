import t from 'tap'
import {
  closeComplete,
  errorResponse,
  parseComplete,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { commandComplete } from '../support/fake-server.ts'
import {
  bindBytes,
  closeBytes,
  describeBytes,
  executeBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const READY = readyForQuery('I')
const ERROR = errorResponse({ severity: 'ERROR', code: '42601', message: 'no' })
const USED = Buffer.concat([message(BackendCode.bindComplete), commandComplete('SELECT 1'), READY])
const PARSE = parseBytes('', 'select 1')
const PREPARED = Buffer.concat([PARSE, sync()])
const USE = Buffer.concat([bindBytes('', ''), executeBytes(''), sync()])
const NONE = closeBytes('S', '')

/** A client that has parsed an unnamed statement, and lost its server connection since. */
function parsed(): { rig: RelayRig; first: ReturnType<typeof freshServer> } {
  const first = freshServer()
  const rig = new RelayRig()
  rig.begin(first.connection, PREPARED)
  first.server.say(parseComplete(), READY)
  first.server.takeWritten()
  rig.takeOut()
  return { rig, first }
}

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  t.test(`follows its client, in chunks of ${chunkBytes}`, async (t) => {
    const { rig } = parsed()
    rig.relay.end()
    const { server, connection } = freshServer()
    const [head = USE, ...rest] = inChunks(USE, chunkBytes)
    rig.begin(connection, head)
    for (const chunk of rest) rig.relay.request(chunk)
    t.strictSame(server.takeWritten(), Buffer.concat([PARSE, USE]))
    for (const chunk of inChunks(Buffer.concat([parseComplete(), USED]), chunkBytes)) {
      server.say(chunk)
    }
    t.strictSame(rig.takeOut(), USED)
    rig.relay.request(USE)
    t.strictSame(server.takeWritten(), USE, 'once')
  })
}

t.test('also to be described', async (t) => {
  const { rig } = parsed()
  rig.relay.end()
  const { server, connection } = freshServer()
  const request = Buffer.concat([describeBytes('S', ''), sync()])
  rig.begin(connection, request)
  t.strictSame(server.takeWritten(), Buffer.concat([PARSE, request]))
})

t.test('is prepared anew where others may have been meanwhile', async (t) => {
  const { rig, first } = parsed()
  rig.relay.end()
  rig.begin(first.connection, USE)
  t.strictSame(first.server.takeWritten(), Buffer.concat([PARSE, USE]))
})

t.test('is gone after', async (t) => {
  const rows = [
    {
      name: 'a simple query',
      request: query('select 1'),
      replies: [commandComplete('SELECT 1'), READY],
    },
    { name: 'Close', request: Buffer.concat([NONE, sync()]), replies: [closeComplete(), READY] },
    {
      name: 'a Parse that failed',
      request: Buffer.concat([parseBytes('', 'selec'), sync()]),
      replies: [ERROR, READY],
    },
    {
      name: 'a text too long to keep',
      request: Buffer.concat([parseBytes('', 'x'.repeat(70_000)), sync()]),
      replies: [parseComplete(), READY],
    },
  ]
  for (const { name, request, replies } of rows) {
    const { rig, first } = parsed()
    rig.relay.request(request)
    first.server.say(...replies)
    rig.relay.end()
    const { server, connection } = freshServer()
    rig.begin(connection, USE)
    t.strictSame(server.takeWritten(), Buffer.concat([NONE, USE]), name)
    rig.takeOut()
    server.say(closeComplete(), ERROR, READY)
    t.strictSame(rig.takeOut(), Buffer.concat([ERROR, READY]))
  }
})

t.test('a text too long to keep can be used where it was parsed', async (t) => {
  const { rig, first } = parsed()
  rig.relay.request(Buffer.concat([parseBytes('', 'x'.repeat(70_000)), USE]))
  t.equal(first.server.takeWritten().subarray(-USE.length).equals(USE), true)
})

t.test('is never that of another client', async (t) => {
  const { rig, first } = parsed()
  rig.relay.end()
  const other = new RelayRig()
  other.begin(first.connection, USE)
  t.strictSame(first.server.takeWritten(), Buffer.concat([NONE, USE]))
  const third = new RelayRig()
  third.begin(first.connection, Buffer.concat([describeBytes('S', ''), sync()]))
  t.equal(first.server.takeWritten().subarray(0, NONE.length).equals(NONE), true)
})

t.test('a later one takes its place', async (t) => {
  const { rig, first } = parsed()
  const later = parseBytes('', 'select 2')
  rig.relay.request(Buffer.concat([later, sync()]))
  first.server.say(parseComplete(), READY)
  rig.relay.end()
  const { server, connection } = freshServer()
  rig.begin(connection, USE)
  t.strictSame(server.takeWritten(), Buffer.concat([later, USE]))
})

t.test('an error of the first does not take the later one away', async (t) => {
  const { rig, first } = parsed()
  const later = parseBytes('', 'select 2')
  rig.relay.request(Buffer.concat([parseBytes('', 'selec'), sync(), later, sync()]))
  first.server.say(ERROR, READY, parseComplete(), READY)
  first.server.takeWritten()
  rig.relay.request(USE)
  t.strictSame(first.server.takeWritten(), USE)
})

t.test('one that can not be prepared again is tried again', async (t) => {
  const { rig } = parsed()
  rig.relay.end()
  const { server, connection } = freshServer()
  rig.begin(connection, USE)
  server.say(ERROR, READY)
  t.strictSame(rig.takeOut(), Buffer.concat([ERROR, READY]), 'the client has to know')
  server.takeWritten()
  rig.relay.request(USE)
  t.strictSame(server.takeWritten(), Buffer.concat([PARSE, USE]))
})
