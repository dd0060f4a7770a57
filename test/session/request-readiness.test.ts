import t from 'tap'
import { requestReadiness } from '../../src/session/request-readiness.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { flush, query, sync, terminate } from '../../src/wire/frontend-messages.ts'
import {
  bindBytes,
  copyDataBytes,
  copyDoneBytes,
  executeBytes,
  functionCallBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'

const MAX = 1_000
const ASK = query('select 1')
const PARSE = parseBytes('', 'select 1')
const LATE = Buffer.concat([copyDataBytes('1\n'), copyDoneBytes()])
const ready = (from = 0) => ({ kind: 'ready', from })
const partial = (from = 0) => ({ kind: 'partial', from })
const TERMINATE = { kind: 'terminate' }

const ROWS = [
  { name: 'nothing', sent: [], expects: partial() },
  { name: 'a query', sent: [ASK], expects: ready() },
  { name: 'a query cut in its head', sent: [ASK.subarray(0, 3)], expects: partial() },
  { name: 'a query cut in its text', sent: [ASK.subarray(0, -1)], expects: partial() },
  { name: 'a query and half another', sent: [ASK, ASK.subarray(0, 7)], expects: ready() },
  { name: 'a function call', sent: [functionCallBytes(1)], expects: ready() },
  { name: 'an unfinished pipeline', sent: [PARSE, bindBytes('', '')], expects: partial() },
  { name: 'a pipeline', sent: [PARSE, bindBytes('', ''), sync()], expects: ready() },
  { name: 'a pipeline with Flush', sent: [PARSE, flush()], expects: ready() },
  { name: 'a pipeline with a copy', sent: [executeBytes(''), LATE], expects: partial() },
  { name: 'and its Sync', sent: [executeBytes(''), LATE, sync()], expects: ready() },
  { name: 'leftovers of a copy', sent: [LATE], expects: partial(LATE.length) },
  { name: 'a query behind them', sent: [LATE, ASK], expects: ready(LATE.length) },
  { name: 'half a leftover', sent: [LATE.subarray(0, 6)], expects: partial() },
  { name: 'Terminate', sent: [terminate()], expects: TERMINATE },
  { name: 'Terminate behind leftovers', sent: [LATE, terminate()], expects: TERMINATE },
  { name: 'Terminate behind a Parse', sent: [PARSE, terminate()], expects: TERMINATE },
  { name: 'Terminate behind a query', sent: [ASK, terminate()], expects: ready() },
  { name: 'a long request', sent: [parseBytes('', 'x'.repeat(MAX))], expects: ready() },
  {
    name: 'a long request, cut',
    sent: [query('x'.repeat(9_000)).subarray(0, 1_001)],
    expects: ready(),
  },
  {
    name: 'a long request to come',
    sent: [query('x'.repeat(9_000)).subarray(0, 1_000)],
    expects: partial(),
  },
]

for (const { name, sent, expects } of ROWS) {
  t.test(name, async (t) => t.strictSame(requestReadiness(Buffer.concat(sent), MAX), expects))
}

t.test('becomes ready with its last byte', async (t) => {
  const whole = Buffer.concat([PARSE, bindBytes('', ''), executeBytes(''), sync()])
  for (let bytes = 0; bytes < whole.length; bytes += 1) {
    t.strictSame(requestReadiness(whole.subarray(0, bytes), MAX), partial())
  }
  t.strictSame(requestReadiness(whole, MAX), ready())
})

t.test('refuses what no client may send', async (t) => {
  const refused = [
    message('p'.charCodeAt(0)),
    message('Z'.charCodeAt(0)),
    Buffer.concat([PARSE, message(0)]),
    Buffer.from('Q\0\0\0\x03'),
    Buffer.from('Q\xff\xff\xff\xff', 'latin1'),
  ]
  for (const bytes of refused) {
    t.throws(() => requestReadiness(bytes, MAX), { code: 'PROTOCOL_VIOLATION' })
  }
})
