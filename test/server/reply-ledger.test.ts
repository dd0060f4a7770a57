import t from 'tap'
import { type Owed, ReplyLedger } from '../../src/server/reply-ledger.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { CODES, type LedgerRow, playRow } from './ledger-script.ts'

const ROWS: readonly LedgerRow[] = [
  { name: 'nothing', script: '', isSettled: true },
  { name: 'a query', script: 'query < T < C < Z', expects: 'pass', isSettled: true },
  { name: 'a query before its end', script: 'query < T < C', expects: 'pass', isSettled: false },
  { name: 'two statements in a query', script: 'query < T < C < C < Z', isSettled: true },
  { name: 'an empty query', script: 'query < I < Z', isSettled: true },
  { name: 'a failing query', script: 'query < E < Z', isSettled: true },
  { name: 'a failing query before its end', script: 'query < E', isSettled: false },
  { name: 'a copy out', script: 'query < H < c < C < Z', isSettled: true },
  { name: 'a function call', script: 'functionCall < V < Z', isSettled: true },
  { name: 'a failing function call', script: 'functionCall < E < Z', isSettled: true },
  { name: 'an extended query', script: pipeline('< Z'), isSettled: true },
  { name: 'an extended query without its end', script: pipeline(''), isSettled: false },
  { name: 'a portal suspended', script: 'execute sync < s < Z', isSettled: true },
  { name: 'an empty statement', script: 'execute sync < I < Z', isSettled: true },
  { name: 'a portal described', script: 'describe sync < n < Z', isSettled: true },
  // Only ReadyForQuery ends the implicit transaction.
  { name: 'a flushed parse', script: 'parse < 1', expects: 'pass', isSettled: false },
  { name: 'a flushed parse, then Sync', script: 'parse < 1 sync < Z', isSettled: true },
  { name: 'a flushed insert', script: 'bind execute < 2 < C', isSettled: false },
  { name: 'a query behind a parse', script: 'parse query < 1 < C < Z', isSettled: true },
  // Errors skip to Sync.
  { name: 'an error skips to Sync', script: 'parse bind execute sync < E < Z', isSettled: true },
  { name: 'an error skips a query', script: 'parse query sync < E < Z', isSettled: true },
  { name: 'an error before Sync', script: 'parse bind < E', isSettled: false },
  { name: 'what is sent then is skipped', script: 'parse < E bind query', isSettled: false },
  { name: 'Sync after the error', script: 'parse < E bind sync < Z', isSettled: true },
  { name: 'an error of Sync itself', script: 'execute sync < C < E < Z', isSettled: true },
  { name: 'a second pipeline', script: 'bind sync bind sync < E < Z < 2 < Z', isSettled: true },
  {
    name: 'a reply too many',
    script: 'parse sync < E < Z < Z',
    expects: 'surprise',
    isSettled: true,
  },
  // Copies.
  { name: 'a copy in', script: 'query < G copyEnd < C < Z', isSettled: true },
  { name: 'a copy in, all at once', script: 'query copyEnd < G < C < Z', isSettled: true },
  { name: 'two copies', script: 'query < G copyEnd < C < G copyEnd < C < Z', isSettled: true },
  {
    name: 'two at once',
    script: 'query copyEnd copyEnd query < G < C < G < C < Z < C < Z',
    isSettled: true,
  },
  { name: 'a copy that fails', script: 'query < G < E < Z', isSettled: true, isDoubtful: false },
  { name: 'its late end', script: 'query < G < E copyEnd < Z', isSettled: true },
  { name: 'its later end', script: 'query < G < E < Z copyEnd', isSettled: true },
  { name: 'a query behind it', script: 'query < G < E < Z copyEnd query < C < Z', isSettled: true },
  { name: 'a copy refused', script: 'query copyEnd < E < Z', isSettled: true },
  {
    name: 'a refused copy with Sync',
    script: 'execute sync copyEnd sync < E < Z < Z',
    isSettled: true,
  },
  { name: 'Sync swallowed', script: 'execute sync < G copyEnd sync < C < Z', isSettled: true },
  { name: 'all at once', script: 'execute sync copyEnd sync < G < C < Z', isSettled: true },
  { name: 'Sync within', script: 'execute < G sync sync copyEnd sync < C < Z', isSettled: true },
  {
    name: 'and not in doubt',
    script: 'execute sync < G copyEnd sync < C < E < Z',
    isSettled: true,
    isDoubtful: false,
  },
  {
    name: 'in doubt',
    script: 'execute sync < G < E copyEnd sync < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'in doubt, at once',
    script: 'execute sync copyEnd sync < G < E < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'in doubt, a query',
    script: 'query sync copyEnd < G < E < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'not swallowed, and a query behind it',
    script: 'query query sync copyEnd sync < G < E < Z < C < Z < Z < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'not swallowed, before a query',
    script: 'query sync query copyEnd sync < G < E < Z < Z < C < Z < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'not swallowed, and a copy behind it',
    script: 'query query sync copyEnd sync < G < E < Z < G copyEnd < C < Z < Z < Z',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'not swallowed',
    script: 'execute sync < G < E < Z',
    expects: 'pass',
    isSettled: true,
    isDoubtful: true,
  },
  {
    name: 'one more than that',
    script: 'execute sync < G < E < Z < Z',
    expects: 'surprise',
    isSettled: true,
    isDoubtful: true,
  },
  // Our own messages.
  { name: 'a link', script: 'link < C < T < C < C < Z', expects: 'drop', isSettled: true },
  { name: 'a failing link', script: 'link < C < E', expects: 'drop', isSettled: false },
  {
    name: 'a hidden parse',
    script: 'hiddenParse bind sync < 1',
    expects: 'drop',
    isSettled: false,
  },
  {
    name: 'a hidden close',
    script: 'hiddenClose bind sync < 3',
    expects: 'drop',
    isSettled: false,
  },
  {
    name: 'what comes of both',
    script: 'hiddenClose hiddenParse bind sync < 3 < 1 < 2 < Z',
    isSettled: true,
  },
  {
    name: 'a failing hidden parse',
    script: 'hiddenParse bind sync < E',
    expects: 'pass',
    isSettled: false,
  },
  // Surprises.
  { name: 'a reply to nothing', script: '< C', expects: 'surprise', isSettled: true },
  { name: 'ready without being asked', script: '< Z', expects: 'surprise', isSettled: true },
  {
    name: 'ready instead of an answer',
    script: 'query < Z',
    expects: 'surprise',
    isSettled: false,
  },
  {
    name: 'ready instead of a link',
    script: 'link query < Z',
    expects: 'surprise',
    isSettled: false,
  },
  {
    name: 'ready within a pipeline',
    script: 'parse sync < Z',
    expects: 'surprise',
    isSettled: false,
  },
  {
    name: 'bound instead of parsed',
    script: 'parse sync < 2',
    expects: 'surprise',
    isSettled: false,
  },
  {
    name: 'rows of an execute described',
    script: 'execute sync < T',
    expects: 'surprise',
    isSettled: false,
  },
  { name: 'a login message', script: 'query < R', expects: 'surprise', isSettled: false },
  { name: 'a copy both ways', script: 'query < W', expects: 'surprise', isSettled: false },
  { name: 'an answer to a call', script: 'query < V', expects: 'surprise', isSettled: false },
  { name: 'a farewell', script: '< E', expects: 'pass', isSettled: true, isDoubtful: true },
]

function pipeline(end: string): string {
  return `parse bind describe execute close sync < 1 < 2 < t < T < C < 3 ${end}`
}

for (const row of ROWS) t.test(row.name, async (t) => playRow(t, row))

/** By message, the replies that it may get first. */
const FIRST_REPLIES = {
  query: 'CEGHITc',
  functionCall: 'EV',
  parse: '1E',
  bind: '2E',
  describe: 'ETnt',
  execute: 'CEGHIcs',
  close: '3E',
  sync: 'EZ',
} as const

for (const [owed, letters] of Object.entries(FIRST_REPLIES)) {
  t.test(`what may answer ${owed}`, async (t) => {
    const passed = [...CODES].filter((code) => {
      const ledger = new ReplyLedger()
      ledger.push(owed as Owed)
      return ledger.settle(code) === 'pass'
    })
    t.equal(String.fromCharCode(...passed.sort((a, b) => a - b)), letters)
  })
}

t.test('invented replies are due when they come first', async (t) => {
  const ledger = new ReplyLedger()
  for (const owed of ['inventedClose', 'bind', 'inventedClose', 'inventedClose', 'sync'] as const) {
    ledger.push(owed)
  }
  t.equal(ledger.takeInvented(), 1)
  t.equal(ledger.takeInvented(), 0)
  t.equal(ledger.settle(BackendCode.bindComplete), 'pass')
  t.equal(ledger.takeInvented(), 2)
  t.equal(ledger.isSettled, false)
  t.equal(ledger.settle(BackendCode.readyForQuery), 'pass')
  t.equal(ledger.isSettled, true)
})

t.test('an invented reply alone leaves a Sync to come', async (t) => {
  const ledger = new ReplyLedger()
  ledger.push('inventedClose')
  ledger.takeInvented()
  t.equal(ledger.count, 0)
  t.equal(ledger.isSettled, false)
})

t.test('an error undoes what the server skips, the last first', async (t) => {
  const ledger = new ReplyLedger()
  const undone: string[] = []
  const change = (name: string) => ({ undo: () => undone.push(name) })
  ledger.push('parse', change('done'))
  ledger.push('parse', change('failed'))
  ledger.push('inventedClose', change('skipped'))
  ledger.push('sync')
  ledger.push('parse', change('after Sync'))
  t.equal(ledger.settle(BackendCode.parseComplete), 'pass')
  t.equal(ledger.settle(BackendCode.errorResponse), 'pass')
  t.strictSame(undone, ['skipped', 'failed'])
  t.equal(ledger.takeInvented(), 0)
  t.equal(ledger.count, 2)
})

t.test('what is sent while the server skips is undone at once', async (t) => {
  const ledger = new ReplyLedger()
  ledger.push('parse')
  ledger.settle(BackendCode.errorResponse)
  t.equal(ledger.isSkipping, true)
  const undone: string[] = []
  ledger.push('parse', { undo: () => undone.push('parse') })
  t.strictSame(undone, ['parse'])
  ledger.push('sync')
  t.equal(ledger.isSkipping, false)
})

t.test('a long pipeline', async (t) => {
  const ledger = new ReplyLedger()
  for (let index = 0; index < 5_000; index += 1) {
    ledger.push('bind')
    ledger.push('sync')
  }
  for (let index = 0; index < 5_000; index += 1) {
    t.equal(ledger.count, 10_000 - 2 * index)
    ledger.settle(BackendCode.bindComplete)
    ledger.settle(BackendCode.readyForQuery)
  }
  t.equal(ledger.isSettled, true)
})

t.test('tells a link that is being answered', async (t) => {
  const ledger = new ReplyLedger()
  ledger.push('link')
  ledger.push('query')
  t.equal(ledger.own, 'link')
  for (const code of [BackendCode.commandComplete, BackendCode.readyForQuery]) ledger.settle(code)
  t.equal(ledger.own, undefined)
  t.equal(ledger.count, 1)
})
