import type { SqlDialect } from '../../sql/scan/statement-effects.ts'
import { scanStatements } from '../../sql/scan/statement-scan.ts'
import { readTenantCommand } from '../../sql/scan/tenant-command.ts'
import { mayNameTenant } from '../../sql/scan/tenant-mention.ts'
import type { ReplicationMode } from '../../tenancy/replication.ts'
import { ReplicationRefusedError } from '../../tenancy/tenancy-errors.ts'
import type { Frame, FrameFate, FrameVisitor } from '../../wire/frame-stream.ts'
import {
  attentionTable,
  FRAME_HEAD_BYTES,
  FrameStream,
  MAX_REQUEST_BYTES,
} from '../../wire/frame-stream.ts'
import { FrontendCode } from '../../wire/message-codes.ts'

/** As much of a command as is read: it names what is asked for within this, or is refused. */
const COMMAND_BYTES = 1024

const COMMANDS = attentionTable(
  {
    [FrontendCode.query]: FRAME_HEAD_BYTES + COMMAND_BYTES,
    [FrontendCode.terminate]: FRAME_HEAD_BYTES,
  },
  0,
)

/** As a server reads texts that was not told otherwise. */
const DIALECT: SqlDialect = { backslashEscapes: false, hasUnsafeBytes: false }
const HEADS = attentionTable({}, FRAME_HEAD_BYTES)

/** What Postgres skips before a command. */
const SPACE = '[ \\t\\n\\r\\f\\v]'
const SLOT = '(?:"[^"]*"|[A-Za-z_\\x80-\\xff][\\w\\x80-\\xff$]*)'
const FIRST_WORD = new RegExp(`^${SPACE}*([A-Za-z_]*)`)

/** Commands that hand out the cluster; with them, the form of a command that does not. */
const CLUSTER_COMMANDS: Readonly<Record<string, RegExp | undefined>> = {
  BASE_BACKUP: undefined,
  UPLOAD_MANIFEST: undefined,
  TIMELINE_HISTORY: undefined,
  START_REPLICATION: new RegExp(
    `^${SPACE}*START_REPLICATION${SPACE}+SLOT${SPACE}+${SLOT}${SPACE}+LOGICAL${SPACE}`,
    'i',
  ),
  CREATE_REPLICATION_SLOT: new RegExp(
    `^${SPACE}*CREATE_REPLICATION_SLOT${SPACE}+${SLOT}${SPACE}+(?:TEMPORARY${SPACE}+)?LOGICAL${SPACE}`,
    'i',
  ),
}

/**
 * What a client sends over a replication connection. Postgres takes every replication command over
 * a logical one as well, a backup of the whole cluster among them, so a client that may replicate
 * its database alone is kept to that.
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export class ReplicationRequests implements FrameVisitor {
  readonly #frames: FrameStream
  readonly #pieces: Buffer[] = []
  readonly #allowed: ReplicationMode
  #isTerminated = false

  /** @param allowed - What the tenant may replicate. */
  constructor(allowed: ReplicationMode) {
    this.#allowed = allowed
    this.#frames = new FrameStream(this, COMMANDS, MAX_REQUEST_BYTES)
  }

  /** The client said Terminate: nothing follows. */
  get isTerminated(): boolean {
    return this.#isTerminated
  }

  /**
   * Walks one chunk.
   *
   * @returns What goes to the server, in order; valid until the next call.
   * @throws ReplicationRefusedError - for a command that reaches beyond the tenant's database, and
   * for one that names the session's tenant.
   * @throws ProtocolViolationError - on an impossible length.
   */
  push(chunk: Buffer): readonly Buffer[] {
    this.#pieces.length = 0
    this.#frames.push(chunk)
    return this.#pieces
  }

  visit(frame: Frame): FrameFate {
    if (this.#isTerminated) return 'drop'
    if (frame.code === FrontendCode.terminate) {
      this.#isTerminated = true
      this.#frames.attention = HEADS
      return 'pass'
    }
    if (this.#allowed === 'database' && reachesCluster(frame)) throw clusterRefused()
    if (asksForTenant(frame)) throw tenantRefused()
    return 'pass'
  }

  emit(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }
}

function reachesCluster({ chunk, start, frameBytes }: Frame): boolean {
  const readBytes = Math.min(frameBytes, FRAME_HEAD_BYTES + COMMAND_BYTES)
  const text = chunk.toString('latin1', start + FRAME_HEAD_BYTES, start + readBytes)
  const [head = '', word = ''] = FIRST_WORD.exec(text) ?? []
  // A word that is cut, or still to come, may be any.
  if (head.length === text.length && readBytes < frameBytes) return true
  const command = word.toUpperCase()
  if (!Object.hasOwn(CLUSTER_COMMANDS, command)) return false
  return CLUSTER_COMMANDS[command]?.test(text) !== true
}

/**
 * Whether a change of tenant is asked for, in the part that is read: the server would take the name
 * for a setting like any other. To SHOW it says itself that it does not know it.
 */
function asksForTenant({ chunk, start, frameBytes }: Frame): boolean {
  const end = start + Math.min(frameBytes - 1, FRAME_HEAD_BYTES + COMMAND_BYTES)
  const text = { bytes: chunk, start: start + FRAME_HEAD_BYTES, end }
  if (!mayNameTenant(text) || readTenantCommand(text)?.kind === 'show') return false
  return scanStatements(text, DIALECT)?.namesTenant === true
}

function tenantRefused(): ReplicationRefusedError {
  return new ReplicationRefusedError({
    text: 'a replication connection stays with the tenant of its login',
    hint: 'Connect anew, and name the tenant there.',
  })
}

function clusterRefused(): ReplicationRefusedError {
  return new ReplicationRefusedError({
    text: 'this replication command is not allowed for this tenant',
    hint: "Logical replication of the tenant's own database is. For the whole cluster, ask the operator of the service to set the tenant's replication to physical.",
  })
}
