import t from 'tap'
import { type Owed, ReplyLedger } from '../../src/server/reply-ledger.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'

const { errorResponse, parseComplete, readyForQuery, copyInResponse, commandComplete } = BackendCode

interface Row {
  readonly name: string
  readonly sent: readonly Owed[]
  readonly came?: readonly number[]
  readonly ends: boolean
}

const ROWS: readonly Row[] = [
  { name: 'nothing', sent: [], ends: true },
  { name: 'a query', sent: ['query'], ends: true },
  { name: 'a call', sent: ['functionCall'], ends: true },
  { name: 'a batch', sent: ['parse', 'bind', 'execute', 'sync'], ends: true },
  { name: 'a batch without Sync', sent: ['parse', 'bind', 'execute'], ends: false },
  { name: 'the same behind a query', sent: ['query', 'parse'], ends: false },
  { name: 'all answered but Sync', sent: ['parse'], came: [parseComplete], ends: false },
  { name: 'skipping', sent: ['parse', 'bind'], came: [errorResponse], ends: false },
  { name: 'an answered batch', sent: ['sync'], came: [readyForQuery], ends: true },
  { name: 'a copy', sent: ['query'], came: [copyInResponse], ends: false },
  {
    name: 'a copy that is over',
    sent: ['query'],
    came: [copyInResponse, commandComplete, readyForQuery],
    ends: true,
  },
]

for (const { name, sent, came = [], ends } of ROWS) {
  t.test(name, async (t) => {
    const ledger = new ReplyLedger()
    for (const owed of sent) ledger.push(owed)
    for (const code of came) ledger.settle(code)
    t.equal(ledger.isEnding, ends)
  })
}

t.test('a copy whose end was sent ends', async (t) => {
  const ledger = new ReplyLedger()
  ledger.push('query')
  ledger.settle(copyInResponse)
  ledger.push('copyEnd')
  t.equal(ledger.isEnding, true)
})
