import t from 'tap'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { flush, query, sync, terminate } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { commandComplete, linkReplies } from '../support/fake-server.ts'
import {
  bindBytes,
  copyDataBytes,
  copyDoneBytes,
  executeBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const ASK = query('select 1')
const ANSWER = Buffer.concat([commandComplete('SELECT 1'), readyForQuery('I')])
const ERROR = errorResponse({ severity: 'ERROR', code: '22023', message: 'no' })

t.test('a link travels in the same write as the first request', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.beginLinking(connection, ASK)
  t.equal(server.written.length, 1)
  t.match(server.takeWritten().toString('latin1'), /^Q.*COMMIT\0Q.*select 1\0$/s)
  server.say(Buffer.concat([linkReplies(), ANSWER]))
  t.strictSame(rig.takeOut(), ANSWER)
  t.strictSame(rig.turns, ['settled'])
})

t.test('what is said behind a reply leaves with it, once that is wanted', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, ASK)
  server.say(ANSWER)
  t.equal(rig.corks, 0)
  rig.relay.end()
  rig.relay.gather()
  rig.begin(connection, ASK)
  server.say(ANSWER)
  t.strictSame(rig.turns, ['settled', 'settled'])
  t.equal(rig.corks, 1, 'whoever hears of the end can add to it')
  await new Promise<void>((resolve) => process.nextTick(resolve))
  t.equal(rig.corks, 0)
  t.strictSame(rig.takeOut(), Buffer.concat([ANSWER, ANSWER]))
})

t.test('later requests wait for the link', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.beginLinking(connection, ASK, ASK)
  rig.relay.request(ASK)
  t.equal(rig.isPaused, true)
  server.takeWritten()
  server.say(linkReplies())
  t.strictSame(server.takeWritten(), Buffer.concat([ASK, ASK]))
  t.equal(rig.isPaused, false)
})

t.test('what could end a block does not travel with the link', async (t) => {
  for (const text of [
    'commit',
    'select 1; rollback',
    'end; select 1',
    'prepare transaction $$x$$',
  ]) {
    const { server, connection } = freshServer()
    const rig = new RelayRig()
    rig.beginLinking(connection, query(text))
    t.notMatch(server.takeWritten().toString('latin1'), text)
    server.say(linkReplies())
    t.strictSame(server.takeWritten(), query(text))
  }
})

t.test('nor does a prepared statement that could', async (t) => {
  const rig = new RelayRig()
  const first = freshServer()
  rig.begin(
    first.connection,
    Buffer.concat([parseBytes('c', 'commit'), parseBytes('s', 'select 1'), sync()]),
  )
  rig.relay.end()
  for (const [name, isHeld] of [
    ['c', true],
    ['s', false],
  ] as const) {
    const { server, connection } = freshServer()
    const use = Buffer.concat([bindBytes('', name), executeBytes(''), sync()])
    rig.beginLinking(connection, use)
    t.equal(server.takeWritten().includes('pgusher_'), !isHeld, name)
    server.say(linkReplies())
    t.equal(server.takeWritten().includes('pgusher_'), isHeld, name)
    rig.relay.end()
  }
})

t.test('a link that fails loses the turn, and nothing passes', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.beginLinking(connection, ASK)
  server.say(Buffer.concat([ERROR, readyForQuery('E'), ANSWER]))
  t.equal(rig.error?.code, 'LINK_FAILED')
  t.equal(rig.takeOut().length, 0)
  t.strictSame(rig.turns, ['lost'])
})

t.test('what is wrong in a request that waited is the fault of the client', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.beginLinking(connection, ASK)
  rig.relay.request(Buffer.from('?\0\0\0\x04'))
  server.say(linkReplies())
  t.equal(rig.error?.code, 'PROTOCOL_VIOLATION')
  t.strictSame(rig.turns, ['lost'])
})

t.test('a half sent request does not end the turn', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, Buffer.concat([ASK, ASK.subarray(0, 7)]))
  server.say(ANSWER)
  t.strictSame(rig.turns, [])
  rig.relay.request(ASK.subarray(7))
  server.say(ANSWER)
  t.strictSame(rig.turns, ['settled'])
})

t.test('leftovers of a failed copy end the turn that no reply will end', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const late = Buffer.concat([copyDataBytes('123'), copyDoneBytes()])
  rig.begin(connection, Buffer.concat([query('copy t from stdin'), late.subarray(0, 7)]))
  server.say(ERROR, readyForQuery('I'))
  t.strictSame(rig.turns, [])
  rig.relay.request(late.subarray(7))
  t.strictSame(rig.turns, ['settled'])
})

t.test('a copy that fails in a transaction leaves it usable', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, query('copy t from stdin'))
  server.say(message(BackendCode.copyInResponse, Buffer.alloc(3)), ERROR, readyForQuery('E'))
  rig.relay.request(Buffer.concat([copyDataBytes('123'), copyDoneBytes()]))
  rig.relay.request(query('rollback'))
  server.say(commandComplete('ROLLBACK'), readyForQuery('I'))
  t.equal(rig.error, undefined)
  t.equal(connection.isClean, true)
})

t.test('a lone Flush holds no server connection', async (t) => {
  const { connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, flush())
  t.strictSame(rig.turns, ['settled'])
})

t.test('a request of 8 MB streams', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const whole = query('x'.repeat(8_000_000))
  rig.begin(connection, whole.subarray(0, 65_536))
  for (let at = 65_536; at < whole.length; at += 65_536) {
    rig.relay.request(whole.subarray(at, at + 65_536))
  }
  t.equal(server.written.length, Math.ceil(whole.length / 65_536))
  t.equal(
    server.written.every(({ buffer }) => buffer === whole.buffer),
    true,
  )
  t.equal(Buffer.concat(server.written).equals(whole), true)
})

t.test('a side that takes no more stops the other', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  server.isWelcome = false
  rig.begin(connection, ASK)
  t.equal(rig.isPaused, true)
  server.emit('drain')
  t.equal(rig.isPaused, false)
  rig.isWelcome = false
  server.say(commandComplete('SELECT 1'))
  t.equal(server.isPaused, true)
  rig.relay.clientDrained()
  t.equal(server.isPaused, false)
})

t.test('a client that was paused for a server is read again when the turn ends', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  server.isWelcome = false
  rig.begin(connection, ASK)
  rig.relay.end()
  t.equal(rig.isPaused, false)
  rig.relay.replyBytes(ANSWER)
  server.emit('drain')
})

t.test('Terminate is kept from the server, and all behind it', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, Buffer.concat([ASK, terminate(), ASK]))
  t.strictSame(server.takeWritten(), ASK)
  t.equal(rig.requests.isTerminated, true)
})

t.test('what no client may send is refused', async (t) => {
  for (const code of ['p', '?', 'Z', '\0']) {
    const { connection } = freshServer()
    const bytes = message(code.charCodeAt(0))
    t.throws(() => new RelayRig().begin(connection, bytes), { code: 'PROTOCOL_VIOLATION' })
  }
})
