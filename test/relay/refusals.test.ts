import t from 'tap'
import { errorResponse, parseComplete, readyForQuery } from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { commandComplete } from '../support/fake-server.ts'
import { bindBytes, closeBytes, executeBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const REFUSAL = errorResponse({ severity: 'ERROR', code: '0A000', message: 'not here' })
const SYNTAX = errorResponse({ severity: 'ERROR', code: '42601', message: 'near "REFUSED"' })
const FAREWELL = errorResponse({ severity: 'FATAL', code: '57P01', message: 'going' })
const CANCELED = errorResponse({ severity: 'ERROR', code: '57014', message: 'canceled' })
const BOUND = message(BackendCode.bindComplete)
const READY = readyForQuery('I')
const ANSWER = Buffer.concat([commandComplete('SELECT 1'), READY])
const use = (name: string) => Buffer.concat([bindBytes('', name), executeBytes('')])
const REFUSED = 'REFUSED BY PGUSHER'

/** A client that may not LISTEN. */
function strict(): { rig: RelayRig } & ReturnType<typeof freshServer> {
  const refusal = (effects: { readonly makes: ReadonlySet<string> }) =>
    effects.makes.has('listen') ? REFUSAL : undefined
  return { rig: new RelayRig(undefined, undefined, refusal), ...freshServer() }
}

function send(
  rig: RelayRig,
  connection: Parameters<RelayRig['begin']>[0],
  chunks: readonly Buffer[],
) {
  const [first = Buffer.alloc(0), ...rest] = chunks
  rig.begin(connection, first)
  for (const chunk of rest) rig.relay.request(chunk)
}

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  t.test(`a refused query has its error in its place, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server, connection } = strict()
    const all = Buffer.concat([query('select 1'), query('listen a'), query('select 2')])
    send(rig, connection, inChunks(all, chunkBytes))
    const sent = [query('select 1'), query(REFUSED), query('select 2')]
    t.strictSame(server.takeWritten(), Buffer.concat(sent))
    const replies = Buffer.concat([ANSWER, SYNTAX, READY, ANSWER])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([ANSWER, REFUSAL, READY, ANSWER]))
    t.strictSame(rig.turns, ['settled'])
    t.equal(rig.requests.takeEffects(), undefined, 'it had none')
  })

  t.test(`a refused Parse skips the rest of its batch, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server, connection } = strict()
    const before = Buffer.concat([parseBytes('a', 'select 1'), use('a')])
    const refused = Buffer.concat([parseBytes('b', 'listen a'), use('b')])
    const behind = Buffer.concat([parseBytes('c', 'select 2'), sync(), use('a'), sync()])
    send(rig, connection, inChunks(Buffer.concat([before, refused, behind]), chunkBytes))
    const sent = [
      parseBytes('pgusher_1', 'select 1'),
      use('pgusher_1'),
      parseBytes('', REFUSED),
      use('b'),
      parseBytes('pgusher_3', 'select 2'),
      sync(),
      use('pgusher_1'),
      sync(),
    ]
    t.strictSame(server.takeWritten(), Buffer.concat(sent))
    const done = Buffer.concat([parseComplete(), BOUND, commandComplete('SELECT 1')])
    const again = Buffer.concat([BOUND, ANSWER])
    const replies = Buffer.concat([done, SYNTAX, READY, again])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([done, REFUSAL, READY, again]))
    t.strictSame(rig.turns, ['settled'])
    for (const name of ['b', 'c']) {
      rig.relay.request(Buffer.concat([closeBytes('S', name), sync()]))
      t.strictSame(server.takeWritten(), Buffer.concat([closeBytes('S', name), sync()]), 'no such')
    }
  })

  t.test(`a refused unnamed Parse, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server, connection } = strict()
    const all = Buffer.concat([parseBytes('', 'listen a'), use(''), sync()])
    send(rig, connection, inChunks(all, chunkBytes))
    t.equal(server.takeWritten().includes('listen'), false)
    for (const chunk of inChunks(Buffer.concat([SYNTAX, READY]), chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([REFUSAL, READY]))
    t.equal(connection.isClean, true)
  })
}

t.test('another error in its place is the server’s own', async (t) => {
  for (const error of [FAREWELL, CANCELED]) {
    for (const request of [
      query('listen a'),
      Buffer.concat([parseBytes('', 'listen a'), sync()]),
    ]) {
      const { rig, server, connection } = strict()
      rig.begin(connection, request)
      server.say(error)
      t.strictSame(rig.takeOut(), error)
    }
  }
})

t.test('an error before it skips it', async (t) => {
  const { rig, server, connection } = strict()
  const failing = [parseBytes('', 'selec'), parseBytes('b', 'listen a'), sync()]
  rig.begin(connection, Buffer.concat(failing))
  server.say(SYNTAX, READY)
  t.strictSame(rig.takeOut(), Buffer.concat([SYNTAX, READY]))
})

t.test('a syntax error of the client behind it is its own', async (t) => {
  const { rig, server, connection } = strict()
  rig.begin(connection, Buffer.concat([query('listen a'), query('selec')]))
  server.say(SYNTAX, READY, SYNTAX, READY)
  t.strictSame(rig.takeOut(), Buffer.concat([REFUSAL, READY, SYNTAX, READY]))
})

t.test('a refused Parse of a name leaves the unnamed statement what it is', async (t) => {
  const { rig, server, connection } = strict()
  const plain = parseBytes('', 'select 1')
  rig.begin(connection, Buffer.concat([plain, sync()]))
  server.say(parseComplete(), READY)
  rig.relay.request(Buffer.concat([parseBytes('b', 'listen a'), sync()]))
  server.say(SYNTAX, READY)
  server.takeWritten()
  rig.relay.request(Buffer.concat([use(''), sync()]))
  t.strictSame(server.takeWritten(), Buffer.concat([plain, use(''), sync()]))
})
