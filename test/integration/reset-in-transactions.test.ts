import t, { type Test } from 'tap'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  bind,
  codes,
  execute,
  fields,
  parse,
  query,
  RawClient,
  type RawFrame,
  rows,
  sqlStates,
  sync,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

/** What the client begins with: settings that the server reports, that it does not, and its own. */
const OWN = {
  TimeZone: 'Asia/Kathmandu',
  work_mem: '7MB',
  'my.own': 'a value',
  options: '-c statement_timeout=54321 -c DateStyle=German',
}
const SHOW = `SELECT ${['TimeZone', 'work_mem', 'my.own', 'statement_timeout', 'DateStyle']
  .map((name) => `current_setting('${name}')`)
  .join(', ')}, owner FROM items`
const BEGAN_WITH = 'Asia/Kathmandu|7MB|a value|54321ms|German, DMY'
/** Makes each of them something else. */
const SET_ALL =
  "SET TimeZone TO UTC; SET work_mem TO '9MB'; SET my.own TO x; SET statement_timeout TO 0; SET DateStyle TO ISO"
const NAMES = ['TimeZone', 'WORK_MEM', 'my.own', 'statement_timeout', '"datestyle"']

/** Texts, each a request of its own; behind them everything is as it was at the beginning. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'RESET of each': [SET_ALL, ...NAMES.map((name) => `RESET ${name}`)],
  'SET TO DEFAULT': [SET_ALL, ...NAMES.map((name) => `SET ${name} TO DEFAULT`)],
  'RESET without SET': NAMES.map((name) => `RESET ${name}`),
  'RESET ALL': [SET_ALL, 'RESET ALL'],
  'DISCARD ALL': [SET_ALL, 'DISCARD ALL'],
  'RESET in a transaction': ['BEGIN', SET_ALL, ...NAMES.map((name) => `RESET ${name}`), 'COMMIT'],
  'RESET ALL in a transaction': ['BEGIN', SET_ALL, 'RESET ALL', 'COMMIT'],
  'RESET that is rolled back': ['BEGIN', ...NAMES.map((name) => `RESET ${name}`), 'ROLLBACK'],
  'RESET ALL that is rolled back': ['BEGIN', 'RESET ALL', 'ROLLBACK'],
  'RESET, rolled back to a savepoint': [
    'BEGIN',
    'SAVEPOINT a',
    'RESET ALL',
    'ROLLBACK TO a',
    'COMMIT',
  ],
  'SET, and RESET rolled back to a savepoint': [
    'BEGIN',
    SET_ALL,
    'SAVEPOINT a',
    'RESET TimeZone',
    'ROLLBACK TO a',
    'RESET ALL',
    'COMMIT',
  ],
  'RESET in a transaction that fails': ['BEGIN', 'RESET TimeZone', 'SELECT 1/0', 'ROLLBACK'],
  'RESET in a transaction that has failed': ['BEGIN', 'SELECT 1/0', 'RESET ALL', 'COMMIT'],
  'RESET with an error before it': ['SELECT 1/0; RESET TimeZone', 'SELECT 1/0', 'RESET work_mem'],
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    const proxy = await startTestProxy(saasSettings(server, { pool: { size: 2 } }))
    t.teardown(() => proxy.stop())
    for (const tenant of ['acme', 'globex', 'initech']) {
      for (const [name, texts] of Object.entries(SCRIPTS)) {
        await t.test(`${tenant}: ${name}`, (t) => comesBack(t, { proxy, tenant }, texts))
      }
      await t.test(`${tenant}: at once`, (t) => atOnce(t, { proxy, tenant }))
      await t.test(`${tenant}: fatal errors`, (t) => farewells(t, { proxy, tenant }))
    }
  })
}

interface Seat {
  readonly proxy: TestProxy
  readonly tenant: string
}

function logIn({ proxy, tenant }: Seat): Promise<RawClient> {
  const login = { user: `app.${tenant}`, password: PASSWORD, parameters: OWN }
  return RawClient.login(proxy.port, login)
}

/** One request a text, by the simple or by the extended protocol. */
const PROTOCOLS: Readonly<Record<string, (text: string) => readonly Buffer[]>> = {
  simple: (text) => [query(text)],
  extended: (text) =>
    text.split('; ').flatMap((single) => [parse('', single), bind('', ''), execute(), sync]),
}

/** Reads as many answers as there are requests among the bytes. */
async function answers(client: RawClient, bytes: readonly Buffer[]): Promise<RawFrame[]> {
  client.send(...bytes)
  const frames: RawFrame[] = []
  for (const request of bytes) {
    const isAnswered = request[0] === 0x51 || request[0] === 0x53
    if (isAnswered) frames.push(...(await client.upTo('Z')))
  }
  return frames
}

async function comesBack(t: Test, seat: Seat, texts: readonly string[]): Promise<void> {
  const expected = [`${BEGAN_WITH}|${seat.tenant}`]
  for (const [protocol, request] of Object.entries(PROTOCOLS)) {
    const client = await logIn(seat)
    t.strictSame(rows(await client.ask(query(SHOW))), expected)
    for (const text of texts) await answers(client, request(text))
    t.strictSame(rows(await client.ask(query(SHOW))), expected, protocol)
    await client.end()
    const hasty = await logIn(seat)
    const all = [...texts.flatMap(request), query(SHOW)]
    t.strictSame(rows(await answers(hasty, all)).slice(-1), expected, `${protocol}, pipelined`)
    t.strictSame(rows(await hasty.ask(query(SHOW))), expected, `${protocol}, pipelined, later`)
    await hasty.end()
  }
}

/** The server's defaults show in no request of its own behind a RESET. */
async function atOnce(t: Test, seat: Seat): Promise<void> {
  const client = await logIn(seat)
  const show = query('SHOW TimeZone')
  const reset = query('RESET TimeZone')
  for (const other of ['UTC', 'America/Lima']) {
    const set = query(`SET TimeZone TO '${other}'`)
    t.strictSame(rows(await answers(client, [set, show, reset, show])), [other, OWN.TimeZone])
    const begun = [query('BEGIN'), set, show, reset, show, query('COMMIT'), show]
    t.strictSame(rows(await answers(client, begun)), [other, OWN.TimeZone, OWN.TimeZone])
  }
  await client.end()
}

/** What the server says before it ends a connection comes through, with its own fields. */
async function farewells(t: Test, seat: Seat): Promise<void> {
  const cases: readonly [string, readonly string[]][] = [
    ['57P01', ['SELECT pg_terminate_backend(pg_backend_pid())']],
    ['57P01', ['BEGIN', 'SELECT pg_terminate_backend(pg_backend_pid())']],
    ['25P03', ['BEGIN; SET LOCAL idle_in_transaction_session_timeout TO 20']],
  ]
  for (const [sqlState, texts] of cases) {
    const client = await logIn(seat)
    for (const text of texts) client.send(query(text))
    const frames = await client.toEnd()
    t.strictSame(sqlStates(frames), [sqlState])
    t.match(fields(frames.at(-1)), {
      S: 'FATAL',
      V: 'FATAL',
      F: 'postgres.c',
      R: 'ProcessInterrupts',
    })
  }
  const client = await logIn(seat)
  const failed = await client.ask(query("SELECT 'x'::int"))
  t.equal(codes(failed), 'EZ')
  t.match(fields(failed[0]), { S: 'ERROR', V: 'ERROR', C: '22P02', P: '8' })
  await client.end()
}
