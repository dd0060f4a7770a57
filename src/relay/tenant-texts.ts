import type { PendingChange } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import type { SqlText, StatementEffects } from '../sql/scan/statement-effects.ts'
import { scanStatements } from '../sql/scan/statement-scan.ts'
import { readTenantCommand, TENANT_SETTING } from '../sql/scan/tenant-command.ts'
import { mayNameTenant } from '../sql/scan/tenant-mention.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'
import { cString, message } from '../wire/byte-writer.ts'
import { FRAME_HEAD_BYTES, type Frame, type FrameFate } from '../wire/frame-stream.ts'
import { query } from '../wire/frontend-messages.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { dialectOf, type EffectsPolicy } from './effects-watch.ts'
import type { Passage } from './statement-frames.ts'
import type { StatementJournal } from './statement-journal.ts'

/** No SQL: the server answers with a syntax error, which the client's refusal replaces. */
export const REFUSED_TEXT = 'REFUSED BY PGUSHER'
/** Ends a Parse that gives its parameters no types. */
export const NO_TYPES = Buffer.alloc(2)
/** Of set_config in every version of Postgres: numbers of its own functions are for good. */
const SET_CONFIG_OID = 2078
/** What a call of it by its number may do; nobody reads its arguments. */
const SET_CONFIG_CALL = effectsOf('SELECT set_config($1, $2, $3)')
/** Enough of a FunctionCall to tell which function it calls. */
export const CALL_BYTES = FRAME_HEAD_BYTES + 4

/** What the proxy says where a client speaks of its tenant, or would leave it. */
export interface TenantVoice {
  readonly tenant: TenantName
  /** The ErrorResponse for a change of tenant that is asked for where there can be none. */
  refusal(isInTransaction: boolean): Buffer
  /**
   * The ErrorResponse for a text that would lead the client out of its tenant's place; `undefined`
   * lets it pass. Without the function no text does.
   */
  readonly guard: EffectsPolicy['refusal'] | undefined
  /** Where texts are kept for the log. */
  readonly journal?: StatementJournal | undefined
}

/** A frame that goes in place of another. */
export interface Substitute {
  readonly bytes: Buffer
  /** For the ledger, where the server is to refuse it. */
  readonly change: (PendingChange & { readonly refusal: Buffer }) | undefined
}

/**
 * What goes in place of a Query or a Parse whose text names the tenant: SHOW becomes a query of
 * the same answer, so that it can stand in transactions and pipelines; anything else is refused.
 */
export function substitute(
  frame: Frame,
  voice: TenantVoice,
  { transactionStatus }: ServerConnection,
): Substitute {
  const text = textOf(frame)
  if (readTenantCommand(text)?.kind === 'show') {
    const sql = `SELECT ${quoteLiteral(voice.tenant)} AS ${quoteIdentifier(TENANT_SETTING)}`
    return { bytes: withText(frame, text, sql), change: undefined }
  }
  return refuse(frame, voice.refusal(transactionStatus !== 'idle'))
}

/** What goes in place of a Query or a Parse that is refused. */
function refuse(frame: Frame, refusal: Buffer): Substitute {
  return { bytes: withText(frame, textOf(frame), REFUSED_TEXT), change: { undo() {}, refusal } }
}

/** Where the client keeps its server connection: `undefined` lets the frame pass. */
export function visitKept(
  frame: Frame,
  { server, frames }: Passage,
  voice: TenantVoice,
): FrameFate | undefined {
  const { code, chunk, start, frameBytes } = frame
  if (code !== FrontendCode.query && code !== FrontendCode.parse) return undefined
  if (chunk.length - start < frameBytes) return undefined
  const text = textOf(frame)
  if (voice.guard === undefined && !mayNameTenant(text)) return undefined
  const effects = scanStatements(text, dialectOf(server.parameters))
  if (effects !== undefined) server.noteResets(effects.resets)
  const other = effects === undefined ? undefined : otherFor(frame, effects, { server, voice })
  if (other === undefined) return undefined
  const { bytes, change } = other
  server.owe(code === FrontendCode.query ? 'query' : 'parse', change)
  frames.insert(bytes)
  return 'drop'
}

/** A FunctionCall: `undefined` lets the frame pass. */
export function visitCall(
  { chunk, start, frameBytes }: Frame,
  { server, frames }: Passage,
  { guard }: TenantVoice,
): FrameFate | undefined {
  if (frameBytes < CALL_BYTES) return undefined
  if (chunk.readUInt32BE(start + FRAME_HEAD_BYTES) !== SET_CONFIG_OID) return undefined
  const refusal = SET_CONFIG_CALL === undefined ? undefined : guard?.(SET_CONFIG_CALL)
  if (refusal === undefined) return undefined
  // As a query it is answered in the same way.
  server.owe('query', { undo() {}, refusal })
  frames.insert(query(REFUSED_TEXT))
  return 'drop'
}

function effectsOf(sql: string): StatementEffects | undefined {
  const bytes = Buffer.from(sql)
  const dialect = { backslashEscapes: false, hasUnsafeBytes: false }
  return scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
}

/** What goes in place of a text with these effects; `undefined` for the text itself. */
function otherFor(
  frame: Frame,
  effects: StatementEffects,
  { server, voice }: { readonly server: ServerConnection; readonly voice: TenantVoice },
): Substitute | undefined {
  if (effects.namesTenant) return substitute(frame, voice, server)
  const refusal = voice.guard?.(effects)
  return refusal === undefined ? undefined : refuse(frame, refusal)
}

/** The SQL of a whole Query or Parse; empty where it has no end. */
function textOf({ code, chunk, start, frameBytes }: Frame): SqlText {
  const frameEnd = start + frameBytes
  const body = start + FRAME_HEAD_BYTES
  const from = code === FrontendCode.parse ? chunk.indexOf(0, body) + 1 : body
  const end = from === 0 ? -1 : chunk.indexOf(0, from)
  if (end < 0 || end >= frameEnd) return { bytes: chunk, start: frameEnd, end: frameEnd }
  return { bytes: chunk, start: from, end }
}

/** The frame with another text; the types that a Parse gives its parameters go. */
function withText({ code, chunk, start }: Frame, text: SqlText, sql: string): Buffer {
  const before = chunk.subarray(start + FRAME_HEAD_BYTES, text.start)
  const after = code === FrontendCode.parse ? NO_TYPES : Buffer.alloc(0)
  return message(code, before, cString(sql), after)
}
