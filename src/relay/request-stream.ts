import type { Owed } from '../server/reply-ledger.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import { codeTable } from '../wire/code-table.ts'
import type { Frame, FrameFate, FrameVisitor } from '../wire/frame-stream.ts'
import {
  attentionTable,
  FRAME_HEAD_BYTES,
  FrameStream,
  MAX_REQUEST_BYTES,
} from '../wire/frame-stream.ts'
import { closeStatement, query, sync } from '../wire/frontend-messages.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { ProtocolViolationError } from '../wire/wire-errors.ts'
import { type EffectsPolicy, EffectsWatch, MAY_COPY } from './effects-watch.ts'
import { SCANNED_BYTES, visitLong } from './long-texts.ts'
import { type Passage, pass } from './statement-frames.ts'
import { NAMES_BYTES, StatementNames, type StatementScope } from './statement-names.ts'
import {
  CALL_BYTES,
  REFUSED_TEXT,
  substitute,
  type TenantVoice,
  visitCall,
  visitKept,
} from './tenant-texts.ts'
import type { TurnEffects } from './turn-effects.ts'

/** What the server owes for each message that a client may send after its login. */
const OWED = codeTable<Owed>({
  [FrontendCode.query]: 'query',
  [FrontendCode.functionCall]: 'functionCall',
  [FrontendCode.parse]: 'parse',
  [FrontendCode.bind]: 'bind',
  [FrontendCode.describe]: 'describe',
  [FrontendCode.execute]: 'execute',
  [FrontendCode.close]: 'close',
  [FrontendCode.sync]: 'sync',
  [FrontendCode.copyDone]: 'copyEnd',
  [FrontendCode.copyFail]: 'copyEnd',
})

/** The client keeps its server connection: all passes as it is, but what speaks of its tenant. */
const KEEPING = attentionTable(
  {
    [FrontendCode.copyData]: 0,
    [FrontendCode.query]: SCANNED_BYTES,
    [FrontendCode.parse]: SCANNED_BYTES,
    [FrontendCode.functionCall]: CALL_BYTES,
  },
  FRAME_HEAD_BYTES,
)
/** Names of statements are mapped, and texts are looked at. */
const MAPPING = attentionTable(
  {
    [FrontendCode.copyData]: 0,
    [FrontendCode.query]: SCANNED_BYTES,
    [FrontendCode.parse]: SCANNED_BYTES,
    [FrontendCode.functionCall]: CALL_BYTES,
    [FrontendCode.bind]: NAMES_BYTES,
    [FrontendCode.describe]: NAMES_BYTES,
    [FrontendCode.close]: NAMES_BYTES,
  },
  FRAME_HEAD_BYTES,
)

/** A client whose server connection changes, and what is to be known of it. */
export interface Roaming {
  readonly statements: StatementScope
  readonly effects: EffectsPolicy
}

/** What goes with a client whose server connection changes. */
interface Companions {
  readonly watch: EffectsWatch
  scope: StatementScope
  /** Made when the client first uses the extended protocol. */
  names: StatementNames | undefined
}

/**
 * One client's requests on their way to the server connection of the moment: notes what each is
 * owed, rewrites the names of prepared statements, and watches what becomes of session state.
 */
export class RequestStream implements FrameVisitor {
  readonly #frames: FrameStream
  readonly #companions: Companions | undefined
  readonly #voice: TenantVoice
  #passage: Passage | undefined
  readonly #pieces: Buffer[] = []
  /** The proxy's own words that are due behind the frame that was visited last. */
  #following: Buffer | undefined
  #isTerminated = false
  /**
   * Bytes can't be told apart any more: the server is left to find its own words for them. It hangs
   * up then: what is still sent would reset the connection, and those words would be lost.
   */
  #isBroken = false

  /** @param roaming - `undefined` where the client keeps its server connection: session mode. */
  constructor(roaming: Roaming | undefined, voice: TenantVoice) {
    this.#voice = voice
    if (roaming !== undefined) {
      const watch = new EffectsWatch(roaming.effects, voice.guard)
      this.#companions = { watch, scope: roaming.statements, names: undefined }
    }
    const attention = roaming === undefined ? KEEPING : MAPPING
    this.#frames = new FrameStream(this, attention, MAX_REQUEST_BYTES)
  }

  /** The client belongs elsewhere from now on; between two requests, while it holds no server. */
  move({ statements, effects }: Roaming): void {
    const companions = this.#companions
    if (companions === undefined) return
    companions.scope = statements
    companions.watch.move(effects)
    companions.names?.move(statements)
  }

  /** The client said Terminate: nothing follows. */
  get isTerminated(): boolean {
    return this.#isTerminated
  }

  /** Named prepared statements that the client has, where the proxy keeps them. */
  get preparedStatements(): number {
    return this.#companions?.names?.count ?? 0
  }

  /** No request is half sent. */
  get isBetweenFrames(): boolean {
    return this.#frames.isBetweenFrames
  }

  /** Whether `bytes` may bind a prepared statement whose text can end a transaction. */
  mayBindEnd(bytes: Buffer): boolean {
    return this.#companions?.names?.mayBindEnd(bytes) ?? false
  }

  /**
   * Walks one chunk on its way to `server`.
   *
   * @returns What to write, in order; valid until the next call.
   * @throws ProtocolViolationError - the client sent what no client may send, and shares its server
   * connections: to a client that has its own, that server may say what Postgres says.
   */
  push(chunk: Buffer, server: ServerConnection): readonly Buffer[] {
    this.#passage ??= { server, frames: this.#frames }
    this.#passage.server = server
    this.#pieces.length = 0
    if (this.#isBroken) return this.#pieces
    try {
      this.#frames.push(chunk)
    } catch (error) {
      if (this.#companions !== undefined || !(error instanceof ProtocolViolationError)) throw error
      this.#break(server)
      this.#pieces.push(this.#frames.takeUnwalked())
    }
    if (this.#following !== undefined && this.#frames.isBetweenFrames) {
      this.#pieces.push(this.#following)
      this.#following = undefined
    }
    return this.#pieces
  }

  /** The client's prepared statements are gone from every server, as far as it knows. */
  forgetStatements(): void {
    this.#companions?.names?.deallocated()
  }

  /** A plan of the client's tenant does not fit its tables any more. */
  plansChanged(): void {
    this.#companions?.names?.plansChanged()
  }

  /** The proxy, or another client, uses the server connection in between. */
  leave(): void {
    this.#companions?.names?.leave()
  }

  /** What has to put right yet what the client reset; between two requests. */
  takeRestore(server: ServerConnection): Buffer | undefined {
    const restore = this.#companions?.watch.takeRestore()
    if (restore === undefined) return undefined
    const { sql, token } = restore
    const pieces: Buffer[] = []
    if (sql !== undefined) {
      server.owe('restore')
      pieces.push(query(sql))
    }
    if (token !== undefined) pieces.push(server.beginToken(token))
    return Buffer.concat(pieces)
  }

  /** What the requests since the last call may have done to the session. */
  takeEffects(): TurnEffects | undefined {
    return this.#companions?.watch.takeTurn()
  }

  visit(frame: Frame): FrameFate {
    if (this.#isTerminated) return 'drop'
    if (this.#following !== undefined) {
      this.#frames.insert(this.#following)
      this.#following = undefined
    }
    this.#voice.journal?.note(frame)
    const { code } = frame
    const passage = this.#passage as Passage
    const { server } = passage
    const owed = OWED[code]
    if (owed === undefined) return this.#visitUnanswered(code, server)
    const companions = this.#companions
    if (code === FrontendCode.functionCall && visitCall(frame, passage, this.#voice) === 'drop') {
      companions?.names?.beforeQuery(undefined, passage)
      return 'drop'
    }
    if (companions === undefined) return this.#visitKept(frame, passage) ?? pass(server, owed)
    if (code === FrontendCode.query) return this.#visitQuery(frame, companions)
    if (isNaming(code)) {
      return this.#namesOf(companions).rewrite(frame, passage)
    }
    server.owe(owed)
    // It names a function by its number: any function.
    if (owed === 'functionCall') companions.watch.noteUnscanned()
    if (owed === 'sync' && !companions.watch.takeMayCopy()) this.#restore(companions)
    return 'pass'
  }

  #visitKept(frame: Frame, passage: Passage): FrameFate | undefined {
    const visitText = frame.frameBytes > SCANNED_BYTES ? visitLong : visitKept
    return visitText(frame, passage, this.#voice)
  }

  emit(bytes: Buffer): void {
    this.#pieces.push(bytes)
  }

  #visitQuery(frame: Frame, companions: Companions): FrameFate {
    const { watch } = companions
    const passage = this.#passage as Passage
    const { server } = passage
    if (frame.frameBytes > SCANNED_BYTES) return this.#visitLongQuery(frame, companions)
    const { chunk: bytes, start, frameBytes } = frame
    const effects = watch.scan(
      { bytes, start: start + FRAME_HEAD_BYTES, end: start + frameBytes - 1 },
      server,
    )
    if (effects?.namesTenant === true) {
      const { bytes: other, change } = substitute(frame, this.#voice, server)
      companions.names?.beforeQuery(undefined, passage)
      server.owe('query', change)
      this.#frames.insert(other)
      return 'drop'
    }
    const refusal = watch.refusal(effects)
    if (refusal !== undefined) {
      server.owe('query', { undo() {}, refusal })
      this.#frames.insert(query(REFUSED_TEXT))
      return 'drop'
    }
    const lent = companions.names?.beforeQuery(effects, passage) ?? []
    server.owe('query')
    watch.note(effects)
    this.#closeLent(lent, server)
    if (
      effects?.isLasting === true &&
      !MAY_COPY.test(bytes.toString('latin1', start, start + frameBytes))
    )
      this.#restore(companions)
    return 'pass'
  }

  #visitLongQuery(frame: Frame, { watch, names }: Companions): FrameFate {
    const passage = this.#passage as Passage
    names?.beforeQuery(undefined, passage)
    const fate = visitLong(frame, passage, this.#voice)
    if (fate !== undefined) return fate
    watch.noteUnscanned()
    return pass(passage.server, 'query')
  }

  #namesOf(companions: Companions): StatementNames {
    companions.names ??= new StatementNames(companions.scope, companions.watch, this.#voice)
    return companions.names
  }

  #closeLent(names: readonly string[], server: ServerConnection): void {
    for (const name of names) {
      server.owe('hiddenClose')
      server.owe('hiddenSync')
      this.#follow(Buffer.concat([closeStatement(name), sync()]))
    }
  }

  /** RESET falls back to what the session began with: that is put back right behind it. */
  #restore({ names }: Companions): void {
    const passage = this.#passage
    const bytes = passage === undefined ? undefined : this.takeRestore(passage.server)
    if (bytes === undefined) return
    names?.leave()
    this.#follow(bytes)
  }

  #break(server: ServerConnection): FrameFate {
    this.#isBroken = true
    server.leaveLastWord()
    return 'pass'
  }

  #follow(bytes: Buffer): void {
    this.#following =
      this.#following === undefined ? bytes : Buffer.concat([this.#following, bytes])
  }

  #visitUnanswered(code: number, server: ServerConnection): FrameFate {
    if (code === FrontendCode.terminate) {
      this.#isTerminated = true
      if (server.isEnding) return 'drop'
      // Nothing else would end what it has asked for, and a Sync would commit it.
      server.leaveLastWord()
      return 'pass'
    }
    if (code !== FrontendCode.flush) {
      if (this.#companions === undefined) return this.#break(server)
      throw new ProtocolViolationError(`invalid frontend message type ${code}`)
    }
    server.flushInvented()
    return 'pass'
  }
}

/** Messages that may name a prepared statement. */
function isNaming(code: number): boolean {
  return (
    code === FrontendCode.bind ||
    code === FrontendCode.parse ||
    code === FrontendCode.describe ||
    code === FrontendCode.close
  )
}
