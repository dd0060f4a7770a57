import { isDeepStrictEqual } from 'node:util'
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

/** Ends a copy and whatever is skipped. */
const END = [frame('f', text('over')), sync]

/**
 * A pipeline that drops a statement and then uses it finds it there, as it was sent too early; one
 * that prepares a name twice is told so only within a batch.
 */
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
  const isTold = (said: readonly string[]) =>
    mode === 'session' || said.filter((name) => name === 'Parse a').length < 2
  const conversation = fc
    .array(fc.constantFrom(...names), { maxLength: MAX_MESSAGES })
    .filter(isTold)
  const property = fc.asyncProperty(conversation, async (said) => {
    const bytes = said.map((name) => MESSAGES[name] ?? sync)
    const expected = (await transcribe(direct, leaving(bytes))).map(mask)
    const actual = (await transcribe(proxied, waiting(bytes, readies(expected)))).map(mask)
    if (!isDeepStrictEqual(actual, expected)) {
      throw new Error(`${expected.join('\n')}\n\nbut\n\n${actual.join('\n')}`)
    }
  })
  await t.resolves(fc.assert(property, { numRuns: RUNS }))
}

/** Leaves in the same breath: the server says all that it owes before the end. */
function leaving(bytes: readonly Buffer[]): Script {
  return async (talk) => {
    await talk.ask(CREATE)
    await talk.send(...bytes, ...END, frame('X'))
    await talk.toEnd()
  }
}

/**
 * Leaves when it has heard as much: whether a failed copy has swallowed a Sync is not to be seen, so
 * that nobody can wait for its answer in the place of a client that is gone.
 */
function waiting(bytes: readonly Buffer[], readyCount: number): Script {
  return async (talk) => {
    await talk.ask(CREATE)
    await talk.send(...bytes, ...END)
    for (let heard = 0; heard < readyCount && !talk.client.isClosed; heard += 1)
      await talk.upTo('Z')
    if (talk.client.isClosed) return
    await talk.send(frame('X'))
    await talk.toEnd()
  }
}

/** Behind the login and the first request. */
function readies(transcript: readonly string[]): number {
  return transcript.filter((line) => line.startsWith('Z ')).length - 2
}
