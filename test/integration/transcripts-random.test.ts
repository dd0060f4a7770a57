import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { PoolMode } from '../../src/catalog/route.ts'
import type { PostgresServer } from '../support/postgres.ts'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import {
  bind,
  close,
  describe,
  execute,
  flush,
  frame,
  int16,
  int32,
  parse,
  query,
  sync,
  text,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Script, transcribe } from '../support/transcript.ts'
import { withoutNames } from './transcript-fixture.ts'

const RUNS = 80
const MAX_MESSAGES = 16
const CREATE = query('CREATE TEMP TABLE copied (id int)')

/** What a client may say, in any order: most orders make no sense, and Postgres says so. */
const MESSAGES: Readonly<Record<string, Buffer>> = {
  'Query SELECT': query('SELECT 1'),
  'Query of nothing': query(''),
  'Query of two': query('SELECT 1; SELECT 2'),
  'Query that fails': query('SELECT 1; SELECT 1/0; SELECT 2'),
  'Query BEGIN': query('BEGIN'),
  'Query COMMIT': query('COMMIT'),
  'Query ROLLBACK': query('ROLLBACK'),
  'Query SET': query('SET TimeZone TO UTC'),
  'Query DISCARD': query('DISCARD ALL'),
  'Query COPY in': query('COPY copied FROM STDIN'),
  'Query COPY in, twice': query('COPY copied FROM STDIN; SELECT 1; COPY copied FROM STDIN'),
  'Query COPY out': query('COPY (SELECT 1) TO STDOUT'),
  'Parse SELECT': parse('', 'SELECT generate_series(1, 3)'),
  'Parse COPY in': parse('', 'COPY copied FROM STDIN'),
  'Parse COPY out': parse('', 'COPY (SELECT 1) TO STDOUT'),
  'Parse of nothing': parse('', ''),
  'Parse that fails': parse('', 'SELEC'),
  'Parse a': parse('a', 'SELECT 1 / (SELECT count(*) FROM copied)'),
  Bind: bind('', ''),
  'Bind a': bind('', 'a'),
  'Bind to a portal': bind('p', ''),
  'Describe the statement': describe('S', ''),
  'Describe a': describe('S', 'a'),
  'Describe the portal': describe('P', ''),
  Execute: execute(),
  'Execute two': execute('', 2),
  'Execute a portal': execute('p', 1),
  'Close a': close('S', 'a'),
  'Close a portal': close('P', 'p'),
  Sync: sync,
  Flush: flush,
  CopyData: frame('d', Buffer.from('1\n')),
  'CopyData that fails': frame('d', Buffer.from('x\n')),
  CopyDone: frame('c'),
  CopyFail: frame('f', text('no')),
  // pg_catalog.int4div(1, 0)
  FunctionCall: frame(
    'F',
    int32(154),
    int16(1),
    int16(1),
    int16(2),
    int32(4),
    int32(1),
    int32(4),
    int32(0),
    int16(1),
  ),
}

/** Ends a copy and whatever is skipped, then leaves: all that is owed comes before the end. */
const END = [frame('f', text('over')), sync, frame('X')]

/** A pipeline that drops a statement and then uses it finds it there, as it was sent too early. */
const NOT_IN_TRANSACTION_MODE: readonly string[] = ['Query DISCARD']

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    await t.test('session mode', (t) => converse(t, server, 'session'))
    await t.test('transaction mode', (t) => converse(t, server, 'transaction'))
  })
}

async function converse(t: Test, server: PostgresServer, mode: PoolMode): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 2 } }))
  t.teardown(() => proxy.stop())
  const parameters = { database: 'acme' }
  const direct = { port: server.port, user: 'acme', password: 'acme', parameters }
  const proxied = { port: proxy.port, user: 'app.acme', password: PASSWORD, parameters: {} }
  const names = Object.keys(MESSAGES).filter(
    (name) => mode === 'session' || !NOT_IN_TRANSACTION_MODE.includes(name),
  )
  const mask = mode === 'session' ? (line: string) => line : withoutNames
  const conversation = fc.array(fc.constantFrom(...names), { maxLength: MAX_MESSAGES })
  const property = fc.asyncProperty(conversation, async (said) => {
    const bytes = said.map((name) => MESSAGES[name] ?? sync)
    const script: Script = async (talk) => {
      await talk.ask(CREATE)
      await talk.send(...bytes, ...END)
      await talk.toEnd()
    }
    const expected = (await transcribe(direct, script)).map(mask).join('\n')
    const actual = (await transcribe(proxied, script)).map(mask).join('\n')
    if (actual !== expected) throw new Error(`${expected}\n\nbut\n\n${actual}`)
  })
  await t.resolves(fc.assert(property, { numRuns: RUNS }))
}
