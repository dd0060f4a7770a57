import t from 'tap'
import {
  type AskableKind,
  FactsReader,
  type FactsWanted,
  factsQuery,
  type SessionFacts,
} from '../../src/server/session-facts.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import type { WireMessage } from '../../src/wire/message-buffer.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { dataRow } from '../support/fake-server.ts'
import { startPostgres } from '../support/postgres.ts'
import { RawPostgres } from '../support/raw-postgres.ts'

const KINDS: readonly AskableKind[] = ['listen', 'prepare', 'temp', 'hold', 'advisoryLock']
const HEAD_BYTES = 5
const row = (...columns: readonly string[]) => dataRow(columns).subarray(HEAD_BYTES)
const MAKERS = [
  'listen a',
  'prepare p as select 1',
  'create temp table t ()',
  'declare c cursor with hold for select 1',
  'select pg_advisory_lock(1)',
  "set work_mem = '1MB'",
  'set app.who = 7',
  'set jit = off',
]
const UNDOERS = [
  'unlisten a',
  'deallocate p',
  'drop table t',
  'close c',
  'select pg_advisory_unlock(1)',
  'reset all',
]

t.test('gathers rows', async (t) => {
  const reader = new FactsReader()
  reader.take(row('kind', 'listen', ''))
  reader.take(row('setting', 'jit', 'off'))
  reader.take(row('setting', 'empty', ''))
  reader.take(row('custom', 'app.user', '7'))
  reader.take(row('custom', 'app.gone', ''))
  t.strictSame([...reader.facts.kinds], ['listen'])
  t.strictSame([...reader.facts.settings].sort(), [
    ['app.user', '7'],
    ['empty', ''],
    ['jit', 'off'],
  ])
})

t.test('a custom setting that is NULL is none', async (t) => {
  const reader = new FactsReader()
  const head = dataRow(['custom', 'app.gone', '']).subarray(HEAD_BYTES, -4)
  reader.take(Buffer.concat([head, Buffer.from([0xff, 0xff, 0xff, 0xff])]))
  t.equal(reader.facts.settings.size, 0)
})

t.test('a row that is cut short is no row', async (t) => {
  const whole = row('setting', 'jit', 'off')
  for (let bytes = 0; bytes < whole.length; bytes += 1) {
    t.throws(() => new FactsReader().take(whole.subarray(0, bytes)), { code: 'PROTOCOL_VIOLATION' })
  }
})

t.test('asks for no more than is wanted', async (t) => {
  const kinds = new Set<AskableKind>(['listen'])
  const query = factsQuery({ kinds, settings: [], customSettings: [] })
  t.match(query, /pg_listening_channels/)
  t.notMatch(query, /pg_settings|UNION|pg_locks/)
  t.notMatch(
    factsQuery({ kinds: new Set(), settings: ["o'dd"], customSettings: [] }),
    /o'dd|UNION/,
    'quoted',
  )
})

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major} tells what its session holds`, async (t) => {
    const postgres = await startPostgres({ major })
    t.teardown(() => postgres.stop())
    const raw = await RawPostgres.open(postgres)
    t.teardown(() => raw.socket.destroy())
    const settings = ['work_mem', 'app.who', 'role', 'datestyle', 'app.none']
    const customSettings = settings.filter((name) => name.includes('.') || name === 'role')
    const wanted = { kinds: new Set(KINDS), settings, customSettings }
    const fresh = await ask(raw, wanted)
    t.equal(fresh.kinds.size, 0)
    t.strictSame([...fresh.settings], [['role', 'none']])
    // What stands in the search path must not be taken for the server's own.
    await run(raw, 'create schema trap; set search_path = trap, pg_catalog')
    await run(raw, 'create table trap.pg_settings (name text, setting text, source text)')
    await run(raw, 'create table trap.pg_locks (locktype text, pid int)')
    for (const text of MAKERS) await run(raw, text)
    const facts = await ask(raw, wanted)
    t.strictSame([...facts.kinds].sort(), [...KINDS].sort())
    t.strictSame([...facts.settings].sort(), [
      ['app.who', '7'],
      ['role', 'none'],
      ['work_mem', '1024'],
    ])
    // Once there is nothing else in it: a function is no relation.
    await run(raw, 'drop table t; create function pg_temp.seven() returns int return 7')
    const temporary = { kinds: new Set<AskableKind>(['temp']), settings: [], customSettings: [] }
    t.strictSame([...(await ask(raw, temporary)).kinds], ['temp'])
    await run(raw, 'drop function pg_temp.seven; create temp table t ()')
    const all = await ask(raw, { kinds: new Set(), settings: 'all', customSettings: [] })
    t.strictSame([...all.settings.keys()].sort(), ['jit', 'search_path', 'work_mem'])
    for (const text of UNDOERS) await run(raw, text)
    const undone = await ask(raw, { ...wanted, settings: 'all' })
    t.equal(undone.kinds.size, 0)
    t.strictSame([...undone.settings], [['role', 'none']])
  })
}

async function run(raw: RawPostgres, text: string): Promise<readonly WireMessage[]> {
  raw.write(query(text))
  const replies = await raw.until(BackendCode.readyForQuery)
  const error = replies.find(({ code }) => code === BackendCode.errorResponse)
  if (error !== undefined) throw new Error(`${text}: ${error.body.toString()}`)
  return replies
}

async function ask(raw: RawPostgres, wanted: FactsWanted): Promise<SessionFacts> {
  const reader = new FactsReader()
  for (const { code, body } of await run(raw, factsQuery(wanted))) {
    if (code === BackendCode.dataRow) reader.take(body)
  }
  return reader.facts
}
