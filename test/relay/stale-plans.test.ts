import t from 'tap'
import { StatementTable } from '../../src/relay/statement-table.ts'
import { closeComplete, parseComplete, readyForQuery } from '../../src/wire/backend-messages.ts'
import { cString, message } from '../../src/wire/byte-writer.ts'
import { query, sync } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { commandComplete } from '../support/fake-server.ts'
import { bindBytes, closeBytes, executeBytes, parseBytes } from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'
import { freshServer, RelayRig } from './relay-fixture.ts'

const READY = readyForQuery('I')
const USED = Buffer.concat([message(BackendCode.bindComplete), commandComplete('SELECT 1'), READY])
const STALE = report({ C: '0A000', M: 'cached plan must not change', R: 'RevalidateCachedQuery' })
const use = (name: string) => Buffer.concat([bindBytes('', name), executeBytes(''), sync()])
const close = (name: string) => closeBytes('S', name)
const FIRST = parseBytes('pgusher_1', 'select 1')
const SECOND = parseBytes('pgusher_2', 'select 2')

function report(fields: Readonly<Record<string, string>>): Buffer {
  const body = Object.entries({ S: 'ERROR', ...fields }).map(([letter, text]) =>
    cString(`${letter}${text}`),
  )
  return message(BackendCode.errorResponse, ...body, Buffer.alloc(1))
}

/** A client with two statements on each of two connections, lent the first. */
function prepared() {
  const rig = new RelayRig()
  const servers = [freshServer(), freshServer()] as const
  const [one, other] = servers
  const parses = [parseBytes('a', 'select 1'), parseBytes('b', 'select 2'), sync()]
  rig.begin(other.connection, Buffer.concat(parses))
  other.server.say(parseComplete(), parseComplete(), READY)
  rig.relay.end()
  rig.begin(one.connection, Buffer.concat([use('a'), use('b')]))
  one.server.say(parseComplete(), USED, parseComplete(), USED)
  for (const { server } of servers) server.takeWritten()
  rig.takeOut()
  return { rig, one, other }
}

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 10_000]) {
  t.test(
    `every statement is prepared anew on each connection, in chunks of ${chunkBytes}`,
    async (t) => {
      const { rig, one, other } = prepared()
      rig.relay.request(use('a'))
      for (const chunk of inChunks(Buffer.concat([STALE, READY]), chunkBytes)) one.server.say(chunk)
      t.strictSame(rig.takeOut(), Buffer.concat([STALE, READY]), 'the client hears of it')
      one.server.takeWritten()
      for (const { server, connection } of [one, other]) {
        rig.begin(connection, Buffer.concat([use('a'), use('b')]))
        const healed = [close('pgusher_1'), FIRST, use('pgusher_1'), close('pgusher_2'), SECOND]
        t.strictSame(server.takeWritten(), Buffer.concat([...healed, use('pgusher_2')]))
        server.say(closeComplete(), parseComplete(), USED, closeComplete(), parseComplete(), USED)
        t.strictSame(rig.takeOut(), Buffer.concat([USED, USED]))
        rig.relay.request(Buffer.concat([use('a'), use('b')]))
        t.strictSame(
          server.takeWritten(),
          Buffer.concat([use('pgusher_1'), use('pgusher_2')]),
          'once',
        )
        server.say(USED, USED)
        rig.takeOut()
        rig.relay.end()
      }
    },
  )
}

t.test('so is one of ours that is not where it should be', async (t) => {
  for (const C of ['26000', '42P05']) {
    const { rig, one } = prepared()
    rig.relay.request(use('a'))
    one.server.say(report({ C, M: 'prepared statement "pgusher_1" …' }), READY)
    one.server.takeWritten()
    rig.relay.request(use('a'))
    const healed = [close('pgusher_1'), FIRST, use('pgusher_1')]
    t.strictSame(one.server.takeWritten(), Buffer.concat(healed))
  }
})

t.test('any other error leaves them as they are', async (t) => {
  const errors = [
    { C: '26000', M: 'prepared statement "other" does not exist' },
    { C: '0A000', M: 'cached plan must not change result type' },
    { C: '0A000', M: 'RevalidateCachedQuery' },
    { C: '22012', M: 'pgusher_1' },
  ]
  for (const fields of errors) {
    const { rig, one } = prepared()
    rig.relay.request(use('a'))
    one.server.say(report(fields), READY)
    one.server.takeWritten()
    rig.relay.request(use('a'))
    t.strictSame(one.server.takeWritten(), use('pgusher_1'), JSON.stringify(fields))
  }
})

t.test('another tenant’s statements stay', async (t) => {
  const table = new StatementTable('pgusher_')
  const [acme, globex] = [table.family('acme@1'), table.family('globex@1')]
  acme.epoch += 1
  t.equal(globex.epoch, 0)
  t.equal(table.family('acme@1').epoch, 1)
})

t.test('a name of other letters is a name like any other', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  const name = Buffer.from('d\u00e9j\u00e0', 'latin1')
  const nul = Buffer.alloc(1)
  const parsing = message(0x50, name, nul, cString('select 1'), Buffer.alloc(2))
  const binding = message(0x42, nul, name, nul, Buffer.alloc(6))
  rig.begin(connection, Buffer.concat([parsing, binding, executeBytes(''), sync()]))
  t.strictSame(server.takeWritten(), Buffer.concat([FIRST, use('pgusher_1')]))
  server.say(parseComplete(), USED)
  rig.relay.request(use('déjà'))
  t.strictSame(
    server.takeWritten(),
    use('déjà'),
    'the same letters in another encoding are another',
  )
  server.say(report({ C: '26000', M: 'no' }), READY)
  for (const verb of ['deallocate', 'execute']) {
    const request = message(0x51, Buffer.from(`${verb} "`), name, cString('"'))
    rig.relay.request(request)
    t.strictSame(server.takeWritten(), request, 'left to the server')
    server.say(report({ C: '26000', M: 'no' }), READY)
  }
  rig.relay.request(Buffer.concat([message(0x43, Buffer.from('S'), name, nul), sync()]))
  t.strictSame(server.takeWritten(), sync(), 'closed here')
})

t.test('DISCARD PLANS touches no name', async (t) => {
  const { rig, one } = prepared()
  rig.relay.request(query('discard plans'))
  one.server.say(commandComplete('DISCARD PLANS'), READY)
  one.server.takeWritten()
  rig.relay.request(use('a'))
  t.strictSame(one.server.takeWritten(), use('pgusher_1'))
})

t.test('a client that moved has its statements, and shares new ones there', async (t) => {
  const table = new StatementTable('pgusher_')
  const rig = new RelayRig(table)
  const [here, there] = [freshServer(), freshServer()]
  rig.begin(here.connection, Buffer.concat([parseBytes('a', 'select 1'), sync()]))
  here.server.say(parseComplete(), READY)
  rig.relay.end()
  const link = linkOf('globex')
  const family = table.family(link.tenantKey)
  const limits = { maxStatementBytes: 99, maxPreparedPerClient: 5, maxPreparedBytesPerClient: 500 }
  const effects = { link, refusal: () => undefined }
  rig.requests.move({ statements: { table, family, limits }, effects })
  rig.begin(there.connection, use('a'))
  t.strictSame(there.server.takeWritten(), Buffer.concat([FIRST, use('pgusher_1')]))
  there.server.say(parseComplete(), USED)
  rig.relay.request(Buffer.concat([parseBytes('b', 'select 1'), sync()]))
  t.strictSame(
    there.server.takeWritten(),
    Buffer.concat([parseBytes('pgusher_2', 'select 1'), sync()]),
    'the same text of another tenant is another statement',
  )
  there.server.say(parseComplete(), READY)
  rig.relay.request(use('a'))
  there.server.takeWritten()
  there.server.say(STALE, READY)
  rig.relay.request(Buffer.concat([use('a'), use('b')]))
  t.strictSame(
    there.server.takeWritten(),
    Buffer.concat([
      ...[close('pgusher_1'), FIRST, use('pgusher_1')],
      ...[close('pgusher_2'), parseBytes('pgusher_2', 'select 1'), use('pgusher_2')],
    ]),
    'both kinds are prepared anew when a plan is stale',
  )
})
