import { commandComplete, noticeResponse } from '../../../wire/backend-messages.ts'
import { portalSuspended } from '../../../wire/result-messages.ts'
import type { Answer } from '../commands/command.ts'
import type { ReadCommand } from '../commands/command-table.ts'
import type { Row } from '../table.ts'
import type { Portal } from './prepared-commands.ts'
import { ResultEncoder } from './result-encoder.ts'

/** SQLSTATE "successful completion", which notices have. */
const NO_FAULT = '00000'

/** All that a command is answered with in the simple protocol. */
export function* simpleReplies({ command }: ReadCommand, answer: Answer): Iterable<Buffer> {
  yield* noticeOf(answer)
  const { rows = [] } = answer
  if (command.columns.length > 0) {
    const encoder = new ResultEncoder(command.columns, [])
    yield encoder.description()
    for (const row of rows) yield encoder.row(row)
  }
  yield commandComplete(tagOf(command.tag, rows.length))
}

/** What an Execute is answered with: as many rows of the portal as were asked for. */
export function* portalReplies(
  { read, encoder }: Portal & Required<Pick<Portal, 'read'>>,
  rows: readonly Row[],
  isSuspended: boolean,
): Iterable<Buffer> {
  for (const row of rows) yield encoder.row(row)
  if (isSuspended) yield portalSuspended()
  else if (read !== undefined) yield commandComplete(tagOf(read.command.tag, rows.length))
}

export function* noticeOf({ notice }: Answer): Iterable<Buffer> {
  if (notice === undefined) return
  yield noticeResponse({ severity: 'NOTICE', code: NO_FAULT, message: notice })
}

/** SELECT alone tells how many rows it had. */
function tagOf(tag: string, rowCount: number): string {
  return tag === 'SELECT' ? `SELECT ${rowCount}` : tag
}
