import t from 'tap'
import { StatementTable } from '../../src/relay/statement-table.ts'
import {
  closeComplete,
  errorResponse,
  parseComplete,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { flush, sync } from '../../src/wire/frontend-messages.ts'
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

const BOUND = message(BackendCode.bindComplete)
const READY = readyForQuery('I')
const ERROR = errorResponse({ severity: 'ERROR', code: '42601', message: 'no' })
const USED = Buffer.concat([BOUND, commandComplete('SELECT 1'), READY])
const SQL = 'select 1'
const use = (name: string) => Buffer.concat([bindBytes('', name), executeBytes(''), sync()])
const prepareAndUse = Buffer.concat([parseBytes('mine', SQL), use('mine')])

for (const chunkBytes of [1, 2, 3, 5, 6, 7, 64, 10_000]) {
  t.test(`every name is mapped, in chunks of ${chunkBytes}`, async (t) => {
    const { server, connection } = freshServer()
    const rig = new RelayRig()
    const all = [
      parseBytes('mine', SQL),
      bindBytes('portal', 'mine'),
      describeBytes('S', 'mine'),
      describeBytes('P', 'mine'),
      executeBytes('portal'),
      closeBytes('P', 'mine'),
      closeBytes('S', 'mine'),
      sync(),
    ]
    const [first, ...rest] = inChunks(Buffer.concat(all), chunkBytes)
    rig.begin(connection, first ?? Buffer.alloc(0))
    for (const chunk of rest) rig.relay.request(chunk)
    const expected = [
      parseBytes('pgusher_1', SQL),
      bindBytes('portal', 'pgusher_1'),
      describeBytes('S', 'pgusher_1'),
      describeBytes('P', 'mine'),
      executeBytes('portal'),
      closeBytes('P', 'mine'),
      sync(),
    ]
    t.strictSame(server.takeWritten(), Buffer.concat(expected))
    const replies = [
      parseComplete(),
      BOUND,
      message(BackendCode.parameterDescription, Buffer.alloc(2)),
      message(BackendCode.noData),
      message(BackendCode.noData),
      commandComplete('SELECT 1'),
      closeComplete(),
    ]
    for (const chunk of inChunks(Buffer.concat([...replies, READY]), chunkBytes)) server.say(chunk)
    t.strictSame(rig.takeOut(), Buffer.concat([...replies, closeComplete(), READY]))
    t.strictSame(rig.turns, ['settled'])
  })
}

t.test('the unnamed statement passes as it came', async (t) => {
  const { server, connection } = freshServer()
  const chunk = Buffer.concat([
    parseBytes('', SQL),
    bindBytes('', ''),
    describeBytes('S', ''),
    executeBytes(''),
    closeBytes('S', ''),
    sync(),
  ])
  new RelayRig().begin(connection, chunk)
  t.equal(server.written[0], chunk)
  t.equal(server.written.length, 1)
})

t.test('an unknown name is left to the server', async (t) => {
  const { server, connection } = freshServer()
  new RelayRig().begin(connection, Buffer.concat([use('nobody'), closeBytes('S', 'nobody')]))
  t.strictSame(server.takeWritten(), Buffer.concat([use('nobody'), closeBytes('S', 'nobody')]))
})

t.test('is prepared unseen on another server connection', async (t) => {
  const rig = new RelayRig()
  const first = freshServer()
  rig.begin(first.connection, prepareAndUse)
  first.server.say(parseComplete(), USED)
  rig.relay.end()
  const second = freshServer()
  rig.takeOut()
  for (const expects of [[parseBytes('pgusher_1', SQL), use('pgusher_1')], [use('pgusher_1')]]) {
    rig.begin(second.connection, use('mine'))
    t.strictSame(second.server.takeWritten(), Buffer.concat(expects))
    if (expects.length === 2) second.server.say(parseComplete())
    second.server.say(USED)
    t.strictSame(rig.takeOut(), USED)
    rig.relay.end()
  }
})

t.test('clients of a tenant share a statement', async (t) => {
  const table = new StatementTable('pgusher_')
  const { server, connection } = freshServer()
  const [one, other] = [new RelayRig(table), new RelayRig(table)]
  one.begin(connection, prepareAndUse)
  server.say(parseComplete(), USED)
  server.takeWritten()
  other.begin(connection, Buffer.concat([parseBytes('theirs', SQL), use('theirs')]))
  const anew = [closeBytes('S', 'pgusher_1'), parseBytes('pgusher_1', SQL), use('pgusher_1')]
  t.strictSame(server.takeWritten(), Buffer.concat(anew), 'a Parse of its own is done')
  server.say(closeComplete(), parseComplete(), USED)
  t.strictSame(other.takeOut(), Buffer.concat([parseComplete(), USED]))
  other.relay.end()
  one.relay.end()
  one.takeOut()
  one.begin(connection, use('mine'))
  t.strictSame(server.takeWritten(), use('pgusher_1'))
})

t.test('two tenants do not, nor do two texts', async (t) => {
  const table = new StatementTable('pgusher_')
  const dialect = { backslashEscapes: false, hasUnsafeBytes: false }
  const intern = (tenantKey: string, tail: Buffer) =>
    table.intern(table.family(tenantKey), tail, dialect)
  const tail = Buffer.from('select 1\0\0\0')
  const names = [
    intern('acme@1', tail),
    intern('globex@1', tail),
    intern('acme@2', tail),
    intern('acme@1', Buffer.from('select 2\0\0\0')),
  ].map(({ serverName }) => serverName)
  t.equal(new Set(names).size, 4)
  t.equal(intern('acme@1', Buffer.from(tail)).serverName, names[0])
})

t.test('a reply that is invented comes with a Flush', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, prepareAndUse)
  server.say(parseComplete(), USED)
  rig.relay.end()
  rig.takeOut()
  rig.turns.length = 0
  rig.begin(connection, Buffer.concat([closeBytes('S', 'mine'), flush()]))
  t.strictSame(rig.takeOut(), closeComplete())
  t.strictSame(rig.turns, [])
})

t.test('the least used goes when there is no room', async (t) => {
  const { server, connection } = freshServer(1)
  const rig = new RelayRig()
  rig.begin(connection, prepareAndUse)
  server.say(parseComplete(), USED)
  server.takeWritten()
  rig.relay.request(Buffer.concat([parseBytes('next', 'select 2'), sync()]))
  const expected = [closeBytes('S', 'pgusher_1'), parseBytes('pgusher_2', 'select 2'), sync()]
  t.strictSame(server.takeWritten(), Buffer.concat(expected))
  rig.takeOut()
  server.say(closeComplete(), parseComplete(), READY)
  t.strictSame(rig.takeOut(), Buffer.concat([parseComplete(), READY]))
  rig.relay.request(use('mine'))
  const again = [closeBytes('S', 'pgusher_2'), parseBytes('pgusher_1', SQL), use('pgusher_1')]
  t.strictSame(server.takeWritten(), Buffer.concat(again))
  t.equal(connection.statements.count, 1)
})

t.test('an error takes back what was not done', async (t) => {
  const { server, connection } = freshServer(1)
  const rig = new RelayRig()
  rig.begin(connection, prepareAndUse)
  server.say(parseComplete(), USED)
  const failing = [
    parseBytes('', 'selec'),
    closeBytes('S', 'mine'),
    parseBytes('bad', 'select 2'),
    sync(),
  ]
  rig.relay.request(Buffer.concat(failing))
  server.say(ERROR, READY)
  server.takeWritten()
  rig.relay.request(use('mine'))
  t.strictSame(server.takeWritten(), use('pgusher_1'), 'closed neither here nor there')
  server.say(USED)
  rig.relay.request(use('bad'))
  t.strictSame(server.takeWritten(), use('bad'), 'not prepared')
})

t.test('a failed Parse may be tried again under its name', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, Buffer.concat([parseBytes('mine', SQL), sync()]))
  server.say(ERROR, READY)
  server.takeWritten()
  rig.relay.request(prepareAndUse)
  const expected = [parseBytes('pgusher_1', SQL), use('pgusher_1')]
  t.strictSame(server.takeWritten(), Buffer.concat(expected))
})

t.test('a name that is taken gets its error from the server', async (t) => {
  const { server, connection } = freshServer()
  const rig = new RelayRig()
  rig.begin(connection, prepareAndUse)
  server.say(parseComplete(), USED)
  server.takeWritten()
  rig.relay.request(Buffer.concat([parseBytes('mine', 'select 2'), sync()]))
  t.strictSame(server.takeWritten(), Buffer.concat([parseBytes('pgusher_1', SQL), sync()]))
  server.say(ERROR, READY)
  rig.relay.request(use('mine'))
  t.strictSame(server.takeWritten(), use('pgusher_1'))
})

t.test('bounds', async (t) => {
  const rows = [
    { sent: parseBytes('long', 'x'.repeat(1_000)), code: 'STATEMENT_TOO_LONG' },
    {
      sent: Buffer.concat([1, 2, 3, 4, 5, 6].map((n) => parseBytes(`s${n}`, SQL))),
      code: 'TOO_MANY_STATEMENTS',
    },
    { sent: message(0x50), code: 'PROTOCOL_VIOLATION' },
    { sent: message(0x50, Buffer.from('no end')), code: 'PROTOCOL_VIOLATION' },
    { sent: message(0x42, Buffer.from('portal\0')), code: 'PROTOCOL_VIOLATION' },
    { sent: message(0x44, Buffer.from('S')), code: 'PROTOCOL_VIOLATION' },
    { sent: message(0x43, Buffer.from('Sno end')), code: 'PROTOCOL_VIOLATION' },
  ]
  for (const { sent, code } of rows) {
    for (const behind of [Buffer.alloc(0), sync()]) {
      const { connection } = freshServer()
      t.throws(() => new RelayRig().begin(connection, Buffer.concat([sent, behind])), { code })
    }
  }
  const { server, connection } = freshServer()
  const long = parseBytes('', 'x'.repeat(10_000))
  new RelayRig().begin(connection, long)
  t.equal(server.written[0], long)
})
