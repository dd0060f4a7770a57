import t from 'tap'
import { ReplyLedger } from '../../src/server/reply-ledger.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { type LedgerRow, playRow } from './ledger-script.ts'

/** What the proxy sends of its own accord. */
const ROWS: readonly LedgerRow[] = [
  { name: 'a question', script: 'ask < T < C < Z', expects: 'drop', isSettled: true },
  { name: 'a question that fails', script: 'ask < E < Z', expects: 'drop', isSettled: true },
  { name: 'a restore', script: 'restore < C < C < Z', expects: 'drop', isSettled: true },
  { name: 'a restore that fails', script: 'restore < E < Z', expects: 'drop', isSettled: true },
  {
    name: 'a restore behind a query',
    script: 'query restore query < C < Z < C < Z < C',
    expects: 'pass',
    isSettled: false,
  },
  {
    name: 'a restore behind a Sync',
    script: 'parse sync restore sync < E < Z < C < Z < Z',
    expects: 'pass',
    isSettled: true,
  },
  {
    name: 'an error skips a restore',
    script: 'parse query restore sync < E < Z',
    expects: 'pass',
    isSettled: true,
  },
  {
    name: 'a trial',
    script: 'hiddenTrial hiddenSync query < 1 < Z',
    expects: 'drop',
    isSettled: false,
  },
  {
    name: 'a trial that fails',
    script: 'hiddenTrial hiddenSync query < E < Z',
    expects: 'drop',
    isSettled: false,
  },
  {
    name: 'what stands behind a trial that failed',
    script: 'hiddenTrial hiddenSync query < E < Z < C < Z',
    expects: 'pass',
    isSettled: true,
  },
  {
    name: 'a name that is lent for a query',
    script: 'hiddenTrial hiddenSync query hiddenClose hiddenSync < 1 < Z < C < Z < 3 < Z',
    expects: 'drop',
    isSettled: true,
  },
  {
    name: 'a hidden Sync ends the skipping',
    script: 'parse < E query hiddenSync query < Z < C < Z',
    expects: 'pass',
    isSettled: true,
  },
  { name: 'rows of a restore', script: 'restore < T', expects: 'surprise', isSettled: false },
  {
    name: 'a restore without answer',
    script: 'restore < Z',
    expects: 'surprise',
    isSettled: false,
  },
  { name: 'an empty question', script: 'ask < I', expects: 'surprise', isSettled: false },
  { name: 'a copy for a question', script: 'ask < H', expects: 'surprise', isSettled: false },
  { name: 'a trial bound', script: 'hiddenTrial < 2', expects: 'surprise', isSettled: false },
]

for (const row of ROWS) t.test(row.name, async (t) => playRow(t, row))

t.test('tells what to say in place of an error', async (t) => {
  const ledger = new ReplyLedger()
  const refusal = Buffer.from('no')
  ledger.push('bind')
  ledger.push('parse', { undo() {}, refusal })
  t.equal(ledger.refusal, undefined, 'not its turn yet')
  ledger.settle(BackendCode.bindComplete)
  t.equal(ledger.refusal, refusal)
  ledger.settle(BackendCode.errorResponse)
  t.equal(ledger.refusal, undefined)
})

t.test('tells what was done', async (t) => {
  const ledger = new ReplyLedger()
  const done: string[] = []
  const change = (name: string) => ({ undo() {}, done: () => done.push(name) })
  ledger.push('parse', change('parsed'))
  ledger.push('bind', change('failed'))
  ledger.push('sync')
  ledger.settle(BackendCode.parseComplete)
  ledger.settle(BackendCode.errorResponse)
  ledger.settle(BackendCode.readyForQuery)
  t.strictSame(done, ['parsed'])
})

t.test('counts batches, those of the proxy too', async (t) => {
  const ledger = new ReplyLedger()
  for (const owed of ['parse', 'sync', 'query', 'hiddenTrial', 'hiddenSync'] as const) {
    ledger.push(owed)
  }
  t.equal(ledger.batch, 2)
})
