import { readyForQuery } from '../wire/backend-messages.ts'
import { FRAME_HEAD_BYTES } from '../wire/frame-stream.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { errorAnswer } from './error-answer.ts'
import { CanceledError } from './session-errors.ts'

/** Messages that the server answers with ReadyForQuery. */
const CLOSING: ReadonlySet<number> = new Set([
  FrontendCode.query,
  FrontendCode.sync,
  FrontendCode.functionCall,
])

/**
 * What a server would answer to a request that is canceled before it runs. `undefined` when the
 * bytes are not exactly one request, up to its end: then it can't be answered without running it.
 */
export function cancelAnswer(requests: readonly Buffer[]): Buffer | undefined {
  const bytes = Buffer.concat(requests)
  let offset = 0
  let closing = 0
  let lastCode = 0
  while (bytes.length - offset >= FRAME_HEAD_BYTES) {
    lastCode = bytes[offset] as number
    if (CLOSING.has(lastCode)) closing += 1
    offset += 1 + bytes.readUInt32BE(offset + 1)
  }
  if (offset !== bytes.length || closing !== 1 || !CLOSING.has(lastCode)) return undefined
  return Buffer.concat([errorAnswer(new CanceledError(), 'ERROR'), readyForQuery('I')])
}
