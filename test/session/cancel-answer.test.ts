import t from 'tap'
import { cancelAnswer } from '../../src/session/cancel-answer.ts'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { flush, query, sync } from '../../src/wire/frontend-messages.ts'
import {
  bindBytes,
  executeBytes,
  functionCallBytes,
  parseBytes,
} from '../support/frontend-bytes.ts'
import { inChunks } from '../wire/bytes.ts'

const EXTENDED = Buffer.concat([parseBytes('', 'select 1'), bindBytes('', ''), executeBytes('')])
const CANCELED = errorResponse({
  severity: 'ERROR',
  code: '57014',
  message: 'canceling statement due to user request',
})

const ROWS = [
  { name: 'a query', bytes: query('select 1'), isAnswered: true },
  { name: 'a function call', bytes: functionCallBytes(1), isAnswered: true },
  { name: 'a pipeline', bytes: Buffer.concat([EXTENDED, sync()]), isAnswered: true },
  { name: 'a Sync', bytes: sync(), isAnswered: true },
  { name: 'a pipeline without its end', bytes: EXTENDED, isAnswered: false },
  { name: 'a flushed pipeline', bytes: Buffer.concat([EXTENDED, flush()]), isAnswered: false },
  { name: 'two queries', bytes: Buffer.concat([query('a'), query('b')]), isAnswered: false },
  {
    name: 'one and a half',
    bytes: Buffer.concat([query('a'), query('b').subarray(0, 7)]),
    isAnswered: false,
  },
  {
    name: 'one and the start of a head',
    bytes: Buffer.concat([query('a'), Buffer.from('Q')]),
    isAnswered: false,
  },
  { name: 'a query and a Parse', bytes: Buffer.concat([query('a'), EXTENDED]), isAnswered: false },
  { name: 'half a query', bytes: query('select 1').subarray(0, -1), isAnswered: false },
  { name: 'nothing', bytes: Buffer.alloc(0), isAnswered: false },
]

for (const { name, bytes, isAnswered } of ROWS) {
  for (const chunkBytes of [1, 2, 3, 5, 7, 64]) {
    t.test(`${name}, in chunks of ${chunkBytes}`, async (t) => {
      const answer = cancelAnswer(inChunks(bytes, chunkBytes))
      const expected = isAnswered ? Buffer.concat([CANCELED, readyForQuery('I')]) : undefined
      t.strictSame(answer, expected)
    })
  }
}
