import { codeTable } from '../wire/code-table.ts'
import { FRAME_HEAD_BYTES } from '../wire/frame-stream.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'

/**
 * What the bytes of an idle client amount to.
 *
 * - `ready`: a request that the server will answer stands in them, from `from` on.
 * - `partial`: more has to come first.
 * - `terminate`: the client leaves, and waits for no answer.
 */
export type Readiness =
  | { readonly kind: 'ready'; readonly from: number }
  | { readonly kind: 'partial'; readonly from: number }
  | { readonly kind: 'terminate' }

const TERMINATE: Readiness = { kind: 'terminate' }
const READY: Readiness = { kind: 'ready', from: 0 }

type Role = 'answered' | 'preparing' | 'late' | 'terminate'

/**
 * What a message does to an idle session: `answered` ones make the server answer, at once or for
 * all that came before; `preparing` ones lead up to that; `late` ones are left over from a copy
 * that failed on the server, and are ignored as Postgres ignores them.
 */
const ROLES = codeTable<Role>({
  [FrontendCode.query]: 'answered',
  [FrontendCode.sync]: 'answered',
  [FrontendCode.flush]: 'answered',
  [FrontendCode.functionCall]: 'answered',
  [FrontendCode.parse]: 'preparing',
  [FrontendCode.bind]: 'preparing',
  [FrontendCode.describe]: 'preparing',
  [FrontendCode.execute]: 'preparing',
  [FrontendCode.close]: 'preparing',
  [FrontendCode.copyData]: 'late',
  [FrontendCode.copyDone]: 'late',
  [FrontendCode.copyFail]: 'late',
  [FrontendCode.terminate]: 'terminate',
})

/**
 * Tells whether a request is complete, so that a slow sender holds no server connection.
 *
 * @param maxBytes - A request longer than this counts as ready: it is not held any longer.
 * @throws ProtocolViolationError - on what no client may send here.
 */
export function requestReadiness(bytes: Buffer, maxBytes: number): Readiness {
  const from = endOfLateCopy(bytes)
  let offset = from
  while (bytes.length - offset >= FRAME_HEAD_BYTES) {
    const role = roleAt(bytes, offset)
    const end = offset + frameBytesAt(bytes, offset)
    // What nobody waits for the answer of is not begun.
    if (role === 'terminate') return TERMINATE
    if (role === 'answered' && end <= bytes.length) return readyFrom(from)
    offset = end
  }
  return bytes.length - from > maxBytes ? readyFrom(from) : { kind: 'partial', from }
}

/** Where the first message stands that is not to be ignored. */
function endOfLateCopy(bytes: Buffer): number {
  let offset = 0
  while (bytes.length - offset >= FRAME_HEAD_BYTES && roleAt(bytes, offset) === 'late') {
    const end = offset + frameBytesAt(bytes, offset)
    if (end > bytes.length) return offset
    offset = end
  }
  return offset
}

function roleAt(bytes: Buffer, offset: number): Role {
  const code = bytes[offset] as number
  const role = ROLES[code]
  if (role === undefined) {
    throw new ProtocolViolationError(`invalid frontend message type ${code}`)
  }
  return role
}

function readyFrom(from: number): Readiness {
  return from === 0 ? READY : { kind: 'ready', from }
}

function frameBytesAt(bytes: Buffer, offset: number): number {
  const lengthWord = bytes.readInt32BE(offset + 1)
  if (lengthWord < 4) throw new ProtocolViolationError(`invalid message length ${lengthWord}`)
  return lengthWord + 1
}
