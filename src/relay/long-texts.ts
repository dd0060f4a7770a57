import { scanStatements } from '../sql/scan/statement-scan.ts'
import { mayNameTenant } from '../sql/scan/tenant-mention.ts'
import { cString, message } from '../wire/byte-writer.ts'
import { FRAME_HEAD_BYTES, type Frame, type FrameFate } from '../wire/frame-stream.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { dialectOf } from './effects-watch.ts'
import type { Passage } from './statement-frames.ts'
import { NO_TYPES, REFUSED_TEXT, type TenantVoice } from './tenant-texts.ts'

/** Texts in frames of up to this length are looked at as a whole; of longer ones, the beginning. */
export const SCANNED_BYTES = 65_536
const NO_BYTES = Buffer.alloc(0)

/**
 * Refuses a long Query or Parse whose text names the tenant in its beginning. Nothing of it is held:
 * the frame may be cut behind the bytes that are looked at.
 *
 * @returns `undefined` for any other: it is the caller's.
 */
export function visitLong(
  frame: Frame,
  { server, frames }: Passage,
  voice: TenantVoice,
): FrameFate | undefined {
  const { code, chunk, start } = frame
  const isParse = code === FrontendCode.parse
  if (!isParse && code !== FrontendCode.query) return undefined
  const body = start + FRAME_HEAD_BYTES
  const end = start + SCANNED_BYTES
  const text = { bytes: chunk, start: isParse ? chunk.indexOf(0, body) + 1 : body, end }
  if (text.start === 0 || text.start >= end || !mayNameTenant(text)) return undefined
  if (scanStatements(text, dialectOf(server.parameters))?.namesTenant !== true) return undefined
  const refusal = voice.refusal(server.transactionStatus !== 'idle')
  server.owe(isParse ? 'parse' : 'query', { undo() {}, refusal })
  const name = chunk.subarray(body, text.start)
  frames.insert(message(code, name, cString(REFUSED_TEXT), isParse ? NO_TYPES : NO_BYTES))
  return 'drop'
}
