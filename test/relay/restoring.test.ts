import t from 'tap'
import { restoreQuery } from '../../src/tenancy/link.ts'
import { errorResponse, parseComplete, readyForQuery } from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { commandComplete, factsReplies } from '../support/fake-server.ts'
import {
  bindBytes,
  copyDataBytes,
  copyDoneBytes,
  executeBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const READY = readyForQuery('I')
const FAILED = readyForQuery('E')
const BOUND = message(BackendCode.bindComplete)
const ERROR = errorResponse({ severity: 'ERROR', code: '25P02', message: 'no' })
const COPY_IN = message(BackendCode.copyInResponse, Buffer.alloc(3))
const NEXT = query('select 1')
const ANSWER = Buffer.concat([commandComplete('SELECT 1'), READY])
const RESET = Buffer.concat([commandComplete('RESET'), READY])
const RESTORED = Buffer.concat([commandComplete('SET'), READY])
const RESTORE = query(restoreQuery(linkOf('acme'), 'all') ?? '')
const run = (sql: string) =>
  Buffer.concat([parseBytes('', sql), bindBytes('', ''), executeBytes('')])

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  for (const sql of ['reset search_path', 'RESET ALL', 'set search_path to default']) {
    t.test(`${sql} is followed by what the link says, in chunks of ${chunkBytes}`, async (t) => {
      const { server, connection } = freshServer()
      const rig = new RelayRig()
      const [first = NEXT, ...rest] = inChunks(Buffer.concat([query(sql), NEXT]), chunkBytes)
      rig.begin(connection, first)
      for (const chunk of rest) rig.relay.request(chunk)
      t.strictSame(server.takeWritten(), Buffer.concat([query(sql), RESTORE, NEXT]))
      const replies = Buffer.concat([RESET, RESTORED, ANSWER])
      for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
      t.strictSame(rig.takeOut(), Buffer.concat([RESET, ANSWER]))
      t.strictSame(rig.turns, ['settled'])
    })
  }

  t.test(`also behind Sync, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection } = freshServer()
    const rig = new RelayRig()
    const reset = Buffer.concat([run('reset search_path'), run('select 1')])
    const all = Buffer.concat([reset, sync(), NEXT])
    const [first = NEXT, ...rest] = inChunks(all, chunkBytes)
    rig.begin(connection, first)
    for (const chunk of rest) rig.relay.request(chunk)
    t.strictSame(server.takeWritten(), Buffer.concat([reset, sync(), RESTORE, NEXT]))
    const done = [parseComplete(), BOUND, commandComplete('RESET')]
    const replies = [...done, parseComplete(), BOUND, commandComplete('SELECT 1'), READY]
    const whole = Buffer.concat([...replies, RESTORED, ANSWER])
    for (const chunk of inChunks(whole, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([...replies, ANSWER]))
    t.strictSame(rig.turns, ['settled'])
  })

  t.test(`not inside a copy, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection } = freshServer()
    const rig = new RelayRig()
    // As libpq sends it: a Sync follows at once, which the copy swallows.
    const begin = [run('reset search_path'), run('copy t from stdin'), sync()]
    const rest = [copyDataBytes('1\n'), copyDoneBytes(), sync()]
    const all = Buffer.concat([...begin, ...rest])
    const [first = NEXT, ...later] = inChunks(all, chunkBytes)
    rig.begin(connection, first)
    for (const chunk of later) rig.relay.request(chunk)
    t.strictSame(server.takeWritten(), Buffer.concat([all, RESTORE]))
    const reset = [parseComplete(), BOUND, commandComplete('RESET')]
    server.say(...reset, parseComplete(), BOUND, COPY_IN, commandComplete('COPY 1'), READY)
    server.say(RESTORED)
    t.strictSame(rig.turns, ['settled'])
    t.equal(connection.isClean, true)
  })
}

t.test('a failed transaction refuses it, and the client hears nothing of that', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, query('begin; select 1/0'))
  server.say(commandComplete('BEGIN'), ERROR, FAILED)
  rig.takeOut()
  rig.relay.request(query('reset all'))
  server.say(ERROR, FAILED, ERROR, FAILED)
  t.strictSame(rig.takeOut(), Buffer.concat([ERROR, FAILED]))
  rig.relay.request(query('rollback'))
  server.say(commandComplete('ROLLBACK'), READY)
  t.equal(connection.isClean, true)
})

t.test('what was reset is restored once', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, query('reset all'))
  server.say(RESET, RESTORED)
  server.takeWritten()
  for (const bytes of [NEXT, query('set jit = off'), query('reset jit'), sync()]) {
    rig.relay.request(bytes)
    t.strictSame(server.takeWritten(), bytes)
  }
})

t.test('a RESET beside a copy is made good when the server is asked', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const request = query('reset search_path; copy t from stdin')
  rig.begin(connection, request)
  server.say(commandComplete('RESET'), COPY_IN)
  rig.relay.request(Buffer.concat([copyDataBytes('1\n'), copyDoneBytes()]))
  server.say(commandComplete('COPY 1'), READY)
  server.takeWritten()
  rig.takeOut()
  rig.relay.ask({ kinds: new Set(), settings: ['search_path'], customSettings: [] })
  const written = server.takeWritten()
  t.strictSame(written.subarray(0, RESTORE.length), RESTORE)
  t.equal(written.includes('pg_settings'), true)
  server.say(Buffer.concat([RESTORED, factsReplies(['setting', 'search_path', 'acme'])]))
  t.equal(rig.takeOut().length, 0)
  t.strictSame(rig.turns, ['settled', 'told', 'settled'])
  t.strictSame([...(rig.facts?.settings ?? [])], [['search_path', 'acme']])
})

t.test('the unnamed statement is prepared anew behind it', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const use = Buffer.concat([bindBytes('', ''), executeBytes(''), sync()])
  rig.begin(connection, Buffer.concat([run('reset all'), sync(), use]))
  const again = [parseBytes('', 'reset all'), use, RESTORE]
  t.strictSame(server.takeWritten(), Buffer.concat([run('reset all'), sync(), RESTORE, ...again]))
})
