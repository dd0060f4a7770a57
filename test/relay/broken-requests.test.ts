import t, { type Test } from 'tap'
import { RequestStream } from '../../src/relay/request-stream.ts'
import { readyForQuery } from '../../src/wire/backend-messages.ts'
import { query, sync, terminate } from '../../src/wire/frontend-messages.ts'
import { DEAF } from '../pool/pool-fixture.ts'
import { commandComplete, FakeServer } from '../support/fake-server.ts'
import { bindBytes, executeBytes, parseBytes } from '../support/frontend-bytes.ts'
import { frame, int32 } from '../support/raw-client.ts'
import { VOICE } from './relay-fixture.ts'

const ASK = query('SELECT 1')
const BEGUN = Buffer.concat([parseBytes('', 'SELECT 1'), bindBytes('', ''), executeBytes('')])
const UNKNOWN = frame('!', Buffer.from('body'))
/** The type and the length of a message. */
const HEADER_SIZE = 5
const CHUNK_SIZES = [1, 2, 5, 1_000]

/** A client in session mode, and the server connection that it has. */
function begin() {
  const fake = new FakeServer()
  const server = fake.connection()
  server.attach(DEAF)
  return { fake, server, requests: new RequestStream(undefined, VOICE) }
}

/** What goes on to the server when `bytes` come in pieces of that size. */
function passed({ requests, server }: ReturnType<typeof begin>, bytes: Buffer, size: number) {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(...requests.push(bytes.subarray(at, at + size), server))
  }
  return Buffer.concat(pieces)
}

/**
 * Session mode: Postgres finds its own words, and its connection is not used again. The chunk with
 * the header that says it is the last one sent, as a server that has hung up reads no more.
 */
function leftToServer(t: Test, bytes: Buffer): void {
  for (const size of CHUNK_SIZES) {
    const turn = begin()
    const sent = Buffer.concat([ASK, bytes, sync()])
    const chunks = Math.ceil((ASK.length + HEADER_SIZE) / size)
    t.same(passed(turn, sent, size), sent.subarray(0, chunks * size), `in pieces of ${size}`)
    turn.fake.say(commandComplete('SELECT 1'), readyForQuery('I'))
    t.equal(turn.server.isClean, false)
  }
}

t.test('an unknown message goes on to the server of a session', async (t) => {
  leftToServer(t, UNKNOWN)
})

t.test('so does what can be no message', async (t) => {
  for (const length of [0, 3, -1, 0x7fff_ffff]) {
    leftToServer(t, Buffer.concat([Buffer.from('Q'), int32(length), Buffer.alloc(30)]))
  }
})

t.test('a server that hangs up over it is not spoken for', async (t) => {
  for (const bytes of [UNKNOWN, Buffer.concat([Buffer.from('Q'), int32(0)])]) {
    const { fake, server, requests } = begin()
    const reportable: unknown[] = []
    server.attach({ ...DEAF, lost: (error) => reportable.push(error) })
    requests.push(bytes, server)
    fake.hangUp()
    t.match(reportable, [{ code: 'SERVER_LOST', isReportable: false }])
  }
})

t.test('Terminate ends what nothing else would end', async (t) => {
  const turn = begin()
  const sent = Buffer.concat([BEGUN, terminate()])
  t.same(passed(turn, sent, 7), sent)
  t.equal(turn.requests.isTerminated, true)
  t.equal(turn.server.isClean, false)
})

t.test('else it stays here, and the connection can be used again', async (t) => {
  for (const asked of [ASK, Buffer.concat([BEGUN, sync()])]) {
    const turn = begin()
    t.same(passed(turn, Buffer.concat([asked, terminate()]), 7), asked)
    t.equal(turn.requests.isTerminated, true)
  }
  const idle = begin()
  t.equal(passed(idle, Buffer.concat([terminate(), ASK]), 7).length, 0, 'and nothing follows it')
  t.equal(idle.server.isClean, true)
})
