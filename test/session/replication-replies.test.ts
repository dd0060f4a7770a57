import t from 'tap'
import { ReplicationReplies } from '../../src/session/replication/replication-replies.ts'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { inChunks } from '../wire/bytes.ts'

const CHANGE = message(BackendCode.copyData, Buffer.alloc(100))
const FAILURE = errorResponse({
  severity: 'ERROR',
  code: '57014',
  message: 'canceled',
  hint: undefined,
})

t.test('everything passes as it came', async (t) => {
  const bytes = Buffer.concat([CHANGE, FAILURE, readyForQuery('I'), CHANGE])
  for (const chunkBytes of [1, 4, 5, 6, 64, 1000]) {
    const replies = new ReplicationReplies()
    const passed = inChunks(bytes, chunkBytes).flatMap((chunk) => [...replies.push(chunk)])
    t.strictSame(Buffer.concat(passed), bytes)
  }
})

/** What has come, and whether a word of the proxy's own may follow. */
const PLACES = [
  { name: 'nothing', bytes: Buffer.alloc(0), isWhole: true, isInterruptible: true },
  { name: 'a change', bytes: CHANGE, isWhole: true, isInterruptible: true },
  { name: 'half a change', bytes: CHANGE.subarray(0, 50), isWhole: false, isInterruptible: false },
  { name: 'half a head', bytes: CHANGE.subarray(0, 3), isWhole: true, isInterruptible: true },
  { name: 'an error', bytes: FAILURE, isWhole: true, isInterruptible: false },
  {
    name: 'an error that was got over',
    bytes: Buffer.concat([FAILURE, readyForQuery('I')]),
    isWhole: true,
    isInterruptible: true,
  },
]
for (const { name, bytes, isWhole, isInterruptible } of PLACES) {
  t.test(`behind ${name}`, async (t) => {
    const replies = new ReplicationReplies()
    if (bytes.length > 0) replies.push(bytes)
    t.equal(replies.isWhole, isWhole)
    t.equal(replies.isInterruptible, isInterruptible)
  })
}

t.test('stopped between two messages', async (t) => {
  const replies = new ReplicationReplies()
  replies.push(CHANGE)
  replies.stop()
  t.ok(replies.isWhole)
  t.strictSame(replies.push(CHANGE), [])
  t.ok(replies.isWhole)
})

t.test('stopped within a message, which comes to its end', async (t) => {
  for (const chunkBytes of [1, 30, 1000]) {
    const replies = new ReplicationReplies()
    const passed = [...replies.push(CHANGE.subarray(0, 50))]
    replies.stop()
    t.notOk(replies.isWhole)
    const rest = Buffer.concat([CHANGE.subarray(50), CHANGE, CHANGE.subarray(0, 20)])
    for (const chunk of inChunks(rest, chunkBytes)) passed.push(...replies.push(chunk))
    t.strictSame(Buffer.concat(passed), CHANGE)
    t.ok(replies.isWhole)
  }
})
