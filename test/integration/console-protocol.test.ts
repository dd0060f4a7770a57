import t from 'tap'
import {
  bindBytes,
  closeBytes,
  describeBytes,
  executeBytes,
  functionCallBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { startTestProxy } from '../support/proxy.ts'
import {
  codes,
  fields,
  frame,
  int16,
  int32,
  query,
  RawClient,
  rows,
  sqlStates,
  text,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'
import { ADMIN, CONSOLE } from './console-fixture.ts'

const server = await startSaas(18)
const proxy = await startTestProxy(
  saasSettings(server, { console: { ...CONSOLE, maxClients: 100 } }),
)
t.teardown(async () => {
  await proxy.stop()
  await server.stop()
})

const SYNC = frame('S')
const FLUSH = frame('H')

function connect(): Promise<RawClient> {
  return RawClient.login(proxy.port, { ...ADMIN, parameters: { database: 'pgusher' } })
}

/** SQLSTATEs that come before the proxy hangs up. */
async function lastWords(client: RawClient, ...bytes: readonly Buffer[]) {
  client.send(...bytes)
  return sqlStates(await client.toEnd())
}

/** Binds a statement without parameters; results as the codes say. */
function bindAs(statement: string, ...formats: readonly number[]): Buffer {
  const counts = [int16(0), int16(0), int16(formats.length), ...formats.map(int16)]
  return frame('B', text(''), text(statement), ...counts)
}

const ANSWERS: readonly (readonly [name: string, sent: readonly Buffer[], answer: string])[] = [
  ['a query', [query('SHOW VERSION')], 'TDCZ'],
  ['an empty query', [query('')], 'IZ'],
  ['only semicolons and comments', [query(' ; -- nothing\n ;')], 'IZ'],
  ['several commands', [query('SHOW VERSION; SET x.y TO 1; SHOW STATE')], 'EZ'],
  ['several good ones', [query('SHOW VERSION; SET TimeZone TO 1; SELECT 1;')], 'TDCCTDCZ'],
  ['a notice', [query('BEGIN')], 'NCZ'],
  ['a function call', [functionCallBytes(1)], 'EZ'],
  ['copy data out of place', [frame('d', text('x')), frame('c'), query('SELECT 1')], 'TDCZ'],
  [
    'prepared and run',
    [parseBytes('', 'SHOW VERSION'), bindBytes('', ''), executeBytes(''), SYNC],
    '12DCZ',
  ],
  ['described', [parseBytes('s', 'SHOW STATE'), describeBytes('S', 's'), SYNC], '1tTZ'],
  ['described without rows', [parseBytes('s', 'RESUME'), describeBytes('S', 's'), SYNC], '1tnZ'],
  [
    'a portal',
    [parseBytes('', 'SHOW STATE'), bindBytes('p', ''), describeBytes('P', 'p'), SYNC],
    '12TZ',
  ],
  [
    'an empty statement',
    [parseBytes('', ''), bindBytes('', ''), describeBytes('P', ''), executeBytes(''), SYNC],
    '12nIZ',
  ],
  ['closed', [closeBytes('S', 'nothing'), closeBytes('P', 'nothing'), SYNC], '33Z'],
  [
    'rows by portions',
    [
      parseBytes('', 'SHOW STATE'),
      bindBytes('', ''),
      executeBytes('', 2),
      executeBytes('', 2),
      executeBytes(''),
      SYNC,
    ],
    '12DDsDDsDCZ',
  ],
  [
    'an error skips to Sync',
    [parseBytes('', 'NONSENSE'), bindBytes('', ''), executeBytes(''), query('SELECT 1'), SYNC],
    'EZ',
  ],
  ['no such statement', [bindBytes('', 'missing'), SYNC], 'EZ'],
  ['no such portal', [executeBytes('missing'), SYNC], 'EZ'],
  ['two commands in one statement', [parseBytes('', 'SHOW STATE; SHOW STATE'), SYNC], 'EZ'],
  ['a parameter', [parseBytes('', 'SHOW TENANT $1'), SYNC], 'EZ'],
  [
    'a statement twice',
    [parseBytes('s', 'SHOW STATE'), parseBytes('s', 'SHOW STATE'), SYNC],
    '1EZ',
  ],
  [
    'pipelined',
    [
      parseBytes('', 'SELECT 1'),
      bindBytes('', ''),
      executeBytes(''),
      SYNC,
      query('SELECT 1'),
      SYNC,
    ],
    '12DCZTDCZZ',
  ],
]

for (const [name, sent, answer] of ANSWERS) {
  for (const chunkBytes of [Number.POSITIVE_INFINITY, 1]) {
    t.test(`${name}, in chunks of ${chunkBytes}`, async (t) => {
      const client = await connect()
      const bytes = Buffer.concat(sent)
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        client.socket.write(bytes.subarray(at, Math.min(bytes.length, at + chunkBytes)))
      }
      let seen = ''
      while (seen.length < answer.length) seen += (await client.next())?.code ?? '!'
      t.equal(seen, answer)
      t.equal(codes(await client.ask(query('SELECT 1'))), 'TDCZ', 'nothing is left over')
      await client.end()
    })
  }
}

t.test('SQLSTATEs of what is wrong', async (t) => {
  const client = await connect()
  const state = async (...sent: Buffer[]) => sqlStates(await client.ask(...sent, SYNC))[0]
  t.equal(await state(bindBytes('', 'missing')), '26000')
  t.equal(await state(executeBytes('missing')), '34000')
  t.equal(await state(parseBytes('', 'SHOW TENANT $1')), '0A000')
  t.equal(await state(parseBytes('', "SHOW TENANT 'acme")), '42601')
  t.equal(await state(parseBytes('s', 'SHOW STATE'), parseBytes('s', 'SHOW STATE')), '42P05')
  for (let count = 1; count < 100; count += 1) {
    t.equal(await state(parseBytes(`s${count}`, 'SHOW STATE')), undefined)
  }
  t.equal(await state(parseBytes('one more', 'SHOW STATE')), '54000')
  t.equal(await state(closeBytes('S', 's1')), undefined)
  t.equal(await state(parseBytes('one more', 'SHOW STATE')), undefined)
  await client.end()
})

t.test('answers come at Flush, and before', async (t) => {
  const client = await connect()
  client.send(parseBytes('', 'SELECT 1'), bindBytes('', ''), executeBytes(''), FLUSH)
  t.equal(codes(await client.upTo('C')), '12DC')
  t.equal(codes(await client.ask(SYNC)), 'Z')
  await client.end()
})

t.test('results in binary', async (t) => {
  const client = await connect()
  const tenant = await proxy.connect('acme')
  await tenant.query('SELECT 1')
  const column = async (command: string, index: number) => {
    const frames = await client.ask(parseBytes('', command), bindAs('', 1), executeBytes(''), SYNC)
    const row = frames.find(({ code }) => code === 'D')?.body ?? Buffer.alloc(0)
    let at = 2
    for (let skipped = 0; skipped < index; skipped += 1) at += 4 + Math.max(0, row.readInt32BE(at))
    return row.subarray(at + 4, at + 4 + row.readInt32BE(at))
  }
  t.strictSame(await column('SELECT 1', 0), int32(1))
  t.equal((await column('SHOW DATABASES', 5)).readInt32BE(), 20, 'pool_size, int4')
  t.equal(Number((await column('SHOW MEM', 1)).readBigInt64BE()), 1, 'size, int8')
  t.strictSame(await column("SHOW TENANTS LIKE 'acme'", 11), Buffer.of(0), 'paused, bool')
  t.equal((await column('SHOW VERSION', 0)).toString().startsWith('PgUsher '), true)
  const mixed = await client.ask(
    parseBytes('', 'SHOW LISTS'),
    bindAs('', 0, 1),
    executeBytes(''),
    SYNC,
  )
  const [first] = rows(mixed)
  t.match(first, /^databases\|/)
  const wrong = await lastWords(client, parseBytes('', 'SHOW LISTS'), bindAs('', 0, 1, 0), SYNC)
  t.strictSame(wrong, ['08P01'])
  await tenant.end()
})

const MALFORMED: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['an unknown type', frame('!', text('x'))],
  ['a length below 4', Buffer.concat([Buffer.from('Q'), int32(3)])],
  ['a length beyond the limit', Buffer.concat([Buffer.from('Q'), int32(65_536)])],
  ['a negative length', Buffer.concat([Buffer.from('Q'), int32(-1)])],
  ['a text without end', frame('Q', Buffer.from('SHOW VERSION'))],
  ['bytes after the end', frame('Q', text('SHOW VERSION'), text('x'))],
  ['a text that is not UTF-8', frame('Q', Buffer.from([0xff, 0xfe, 0]))],
  ['Parse that is cut short', frame('P', text(''))],
  ['Bind with values that lack', frame('B', text(''), text(''), int16(0), int16(2), int16(0))],
  [
    'Bind with an unknown format',
    frame('B', text(''), text(''), int16(0), int16(0), int16(1), int16(7)),
  ],
  ['Describe of nothing', frame('D', Buffer.from('X'), text(''))],
]

for (const [name, bytes] of MALFORMED) {
  t.test(`${name} ends the connection, and nothing else`, async (t) => {
    const client = await connect()
    t.strictSame(await lastWords(client, bytes), ['08P01'])
    const next = await connect()
    t.equal(codes(await next.ask(query('SELECT 1'))), 'TDCZ')
    await next.end()
  })
}

t.test('an operator who does not read holds up nobody, and is held to what fits', async (t) => {
  const client = await connect()
  const socket = client.detach()
  socket.pause()
  // More than the kernel would hold for the two of them, in either direction.
  const question = query(`SHOW CONFIG${' '.repeat(10_000)}`)
  for (let count = 0; count < 4000; count += 1) socket.write(question)
  const other = await connect()
  for (const _ of Array.from({ length: 50 })) {
    t.equal(codes(await other.ask(query('SELECT 1'))), 'TDCZ')
  }
  t.ok(socket.writableLength > 0, 'what is not answered is not read')
  socket.destroy()
  await other.end()
  await until(() => proxy.views.sessions().length === 0)
})

t.test('the hint of a mistyped command', async (t) => {
  const client = await connect()
  const frames = await client.ask(query('SHOW CLIENT'))
  t.match(fields(frames.find(({ code }) => code === 'E')), {
    S: 'ERROR',
    C: '42601',
    H: 'Did you mean SHOW CLIENTS? SHOW HELP lists the commands.',
  })
  await client.end()
})
