import t from 'tap'
import { StatementTable } from '../../src/relay/statement-table.ts'
import { restoreQuery } from '../../src/tenancy/link.ts'
import {
  closeComplete,
  errorResponse,
  parseComplete,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { commandComplete } from '../support/fake-server.ts'
import { bindBytes, closeBytes, executeBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const READY = readyForQuery('I')
const FAILED = readyForQuery('E')
const ERROR = errorResponse({ severity: 'ERROR', code: '22012', message: 'no' })
const BOUND = message(BackendCode.bindComplete)
const USED = Buffer.concat([BOUND, commandComplete('SELECT 1'), READY])
const SET = commandComplete('SET')
const SQL = 'select 1'
const use = (name: string) => Buffer.concat([bindBytes('', name), executeBytes(''), sync()])
const RESTORE = query(restoreQuery(linkOf('acme'), 'all') ?? '')
const EMPTY = Buffer.alloc(0)

/** A client that has prepared `mine` on this connection, as `pgusher_1`. */
function prepared(): { rig: RelayRig } & ReturnType<typeof freshServer> {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, Buffer.concat([parseBytes('mine', SQL), use('mine')]))
  server.say(parseComplete(), USED)
  rig.takeOut()
  server.takeWritten()
  return { rig, server, connection }
}

for (const sql of ['discard all', 'deallocate all', 'DEALLOCATE PREPARE ALL']) {
  const tag = sql.startsWith('discard') ? 'DISCARD ALL' : 'DEALLOCATE ALL'
  const restore = sql.startsWith('discard') ? RESTORE : EMPTY
  const restored = sql.startsWith('discard') ? [SET, READY] : []

  t.test(`${sql} clears both sides`, async (t) => {
    const { rig, server, connection } = prepared()
    rig.relay.request(query(sql))
    t.strictSame(server.takeWritten(), Buffer.concat([query(sql), restore]))
    server.say(commandComplete(tag), READY, ...restored)
    t.equal(connection.statements.count, 0)
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('mine'), 'unknown')
  })

  t.test(`a statement that is prepared right behind ${sql} stays`, async (t) => {
    const { rig, server } = prepared()
    const next = Buffer.concat([parseBytes('next', 'select 2'), sync()])
    rig.relay.request(Buffer.concat([query(sql), next]))
    server.takeWritten()
    server.say(commandComplete(tag), READY, ...restored, parseComplete(), READY)
    rig.relay.request(use('next'))
    t.strictSame(server.takeWritten(), use('pgusher_2'))
    server.say(USED)
    rig.relay.request(Buffer.concat([parseBytes('again', 'select 2'), sync()]))
    const expected = [closeBytes('S', 'pgusher_2'), parseBytes('pgusher_2', 'select 2'), sync()]
    t.strictSame(server.takeWritten(), Buffer.concat(expected), 'known to be there')
  })

  t.test(`a name is free again right behind ${sql}`, async (t) => {
    const { rig, server } = prepared()
    const anew = Buffer.concat([parseBytes('mine', 'select 2'), use('mine')])
    rig.relay.request(Buffer.concat([query(sql), anew]))
    const expected = [query(sql), restore, parseBytes('pgusher_2', 'select 2'), use('pgusher_2')]
    t.strictSame(server.takeWritten(), Buffer.concat(expected))
    server.say(commandComplete(tag), READY, ...restored, parseComplete(), USED)
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('pgusher_2'))
  })

  t.test(`the same text is prepared anew right behind ${sql}`, async (t) => {
    const { rig, server, connection } = prepared()
    const anew = Buffer.concat([parseBytes('mine', SQL), use('mine')])
    rig.relay.request(Buffer.concat([query(sql), anew]))
    const expected = [closeBytes('S', 'pgusher_1'), parseBytes('pgusher_1', SQL), use('pgusher_1')]
    t.strictSame(server.takeWritten(), Buffer.concat([query(sql), restore, ...expected]))
    rig.takeOut()
    server.say(commandComplete(tag), READY, ...restored, closeComplete(), parseComplete(), USED)
    const told = [commandComplete(tag), READY, parseComplete(), USED]
    t.strictSame(rig.takeOut(), Buffer.concat(told))
    t.equal(connection.statements.count, 1)
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('pgusher_1'))
  })

  t.test(`${sql} that fails takes no name`, async (t) => {
    const { rig, server } = prepared()
    rig.relay.request(query(sql))
    server.say(ERROR, FAILED, ...restored.map(() => EMPTY).filter(({ length }) => length > 0))
    if (restored.length > 0) server.say(ERROR, FAILED)
    server.takeWritten()
    rig.relay.request(use('mine'))
    t.equal(server.takeWritten().includes(bindBytes('', 'pgusher_1')), true)
  })
}

t.test('DEALLOCATE ALL behind DEALLOCATE ALL', async (t) => {
  const { rig, server, connection } = prepared()
  const next = Buffer.concat([parseBytes('next', 'select 2'), sync()])
  rig.relay.request(Buffer.concat([query('deallocate all'), next, query('deallocate all')]))
  const dropped = [commandComplete('DEALLOCATE ALL'), READY]
  server.say(...dropped, parseComplete(), READY, ...dropped)
  t.equal(connection.statements.count, 0)
  server.takeWritten()
  rig.relay.request(use('next'))
  t.strictSame(server.takeWritten(), use('next'))
})

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  t.test(`DEALLOCATE of a name, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = prepared()
    for (const chunk of inChunks(query('deallocate mine'), chunkBytes)) rig.relay.request(chunk)
    const placeholder = [parseBytes('mine', ''), sync()]
    t.strictSame(server.takeWritten(), Buffer.concat([...placeholder, query('deallocate mine')]))
    const done = Buffer.concat([commandComplete('DEALLOCATE'), READY])
    const replies = Buffer.concat([parseComplete(), READY, done])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), done)
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('mine'), 'gone')
  })

  t.test(`EXECUTE of a name, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = prepared()
    const run = query('execute mine')
    for (const chunk of inChunks(Buffer.concat([run, run]), chunkBytes)) rig.relay.request(chunk)
    const lent = [parseBytes('mine', SQL), sync(), run, closeBytes('S', 'mine'), sync()]
    t.strictSame(server.takeWritten(), Buffer.concat([...lent, ...lent]))
    const answer = Buffer.concat([commandComplete('SELECT 1'), READY])
    const replies = [parseComplete(), READY, answer, closeComplete(), READY]
    const whole = Buffer.concat([...replies, ERROR, READY, ERROR, READY, closeComplete(), READY])
    for (const chunk of inChunks(whole, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([answer, ERROR, READY]))
    t.strictSame(rig.turns, ['settled', 'settled'])
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('pgusher_1'))
  })

  t.test(`DEALLOCATE in the extended protocol, in chunks of ${chunkBytes}`, async (t) => {
    const { rig, server } = prepared()
    const run = Buffer.concat([parseBytes('', 'deallocate mine'), use('')])
    for (const chunk of inChunks(run, chunkBytes)) rig.relay.request(chunk)
    t.strictSame(server.takeWritten(), Buffer.concat([parseBytes('mine', ''), run]))
    const done = Buffer.concat([parseComplete(), BOUND, commandComplete('DEALLOCATE'), READY])
    const replies = Buffer.concat([parseComplete(), done])
    for (const chunk of inChunks(replies, chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), done)
    rig.relay.request(use('mine'))
    t.strictSame(server.takeWritten(), use('mine'), 'gone')
  })
}

t.test('names that only SQL knows are left to the server', async (t) => {
  for (const sql of ['deallocate other', 'execute other', 'deallocate "m\u00efne"']) {
    const { rig, server } = prepared()
    rig.relay.request(query(sql))
    t.strictSame(server.takeWritten(), query(sql))
  }
})

t.test('DEALLOCATE in a failed transaction takes no name', async (t) => {
  const { rig, server } = prepared()
  rig.relay.request(query('begin; select 1/0'))
  server.say(commandComplete('BEGIN'), ERROR, FAILED)
  rig.relay.request(query('deallocate mine'))
  server.say(ERROR, FAILED, ERROR, FAILED)
  rig.relay.request(query('rollback'))
  server.say(commandComplete('ROLLBACK'), READY)
  server.takeWritten()
  rig.relay.request(use('mine'))
  t.strictSame(server.takeWritten(), use('pgusher_1'))
})

t.test('the other tables of a tenant know nothing of a name that was lent', async (t) => {
  const table = new StatementTable('pgusher_')
  const { server, connection } = freshServer()
  const [one, other] = [new RelayRig(table), new RelayRig(table)]
  one.begin(connection, Buffer.concat([parseBytes('mine', SQL), sync()]))
  server.say(parseComplete(), READY)
  one.relay.end()
  server.takeWritten()
  other.begin(connection, query('execute mine'))
  t.strictSame(server.takeWritten(), query('execute mine'))
})
