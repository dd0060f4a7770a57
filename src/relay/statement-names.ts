import type { Statement, StatementFamily } from '../server/prepared-statements.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { StatementEffects } from '../sql/scan/statement-effects.ts'
import type { Frame, FrameFate } from '../wire/frame-stream.ts'
import { FRAME_HEAD_BYTES } from '../wire/frame-stream.ts'
import { parse, sync } from '../wire/frontend-messages.ts'
import { FrontendCode } from '../wire/message-codes.ts'
import { ClientStatements, type StatementLimits } from './client-statements.ts'
import type { EffectsWatch } from './effects-watch.ts'
import { SCANNED_BYTES, visitLong } from './long-texts.ts'
import { StatementTooLongError } from './relay-errors.ts'
import {
  both,
  endOfString,
  makeFree,
  type Passage,
  pass,
  prepare,
  renamed,
  sendParse,
} from './statement-frames.ts'
import type { StatementTable } from './statement-table.ts'
import { REFUSED_TEXT, substitute, type TenantVoice } from './tenant-texts.ts'
import { type Bound, UnnamedStatement } from './unnamed-statement.ts'

/** Enough of Bind, Describe and Close to find two names in: Postgres cuts names at 63 bytes. */
export const NAMES_BYTES = FRAME_HEAD_BYTES + 1024
const STATEMENT_KIND = 0x53
/** Behind the name of a Parse: no text, no parameter types. */
const EMPTY_TAIL = Buffer.alloc(3)
const NOTHING: readonly string[] = []
/** Names of other letters depend on the client's encoding: they are left to the server. */
const ASCII = /^[\x20-\x7e]*$/
const REFUSED_TAIL = Buffer.from(`${REFUSED_TEXT}\0\0\0`)

/** Where a name lies in its chunk. */
interface Extent {
  readonly start: number
  readonly end: number
}

/** Where a client's statements belong. */
export interface StatementScope {
  readonly table: StatementTable
  /** Clients of the same family share statements. */
  readonly family: StatementFamily
  readonly limits: StatementLimits
}

/** A frame that uses a statement: what it is owed, and where the name begins. */
interface Naming {
  readonly frame: Frame
  readonly owed: 'bind' | 'describe'
  readonly nameStart: number
}

/**
 * One client's prepared statements in transaction mode. Each is known to servers under a name of
 * our own, and is prepared on whichever server connection the client gets before it is used there.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
export class StatementNames {
  readonly #named: ClientStatements
  readonly #unnamed = new UnnamedStatement()
  #scope: StatementScope
  readonly #watch: EffectsWatch
  readonly #voice: TenantVoice

  constructor(scope: StatementScope, watch: EffectsWatch, voice: TenantVoice) {
    this.#named = new ClientStatements(scope.limits)
    this.#scope = scope
    this.#watch = watch
    this.#voice = voice
  }

  /** Prepared statements that the client has given a name. */
  get count(): number {
    return this.#named.count
  }

  /** Whether `bytes` may bind a statement of the client whose text can end a transaction. */
  mayBindEnd(bytes: Buffer): boolean {
    if (this.#unnamed.mayEndTransaction) return true
    for (const [name, { mayEndTransaction }] of this.#named.all()) {
      // Bind has the statement's name between the NULs of the portal's name and of its own.
      if (mayEndTransaction && bytes.includes(`\0${name}\0`, 0, 'latin1')) return true
    }
    return false
  }

  /** Rewrites one frame on its way to the server. */
  rewrite(frame: Frame, passage: Passage): FrameFate {
    switch (frame.code) {
      case FrontendCode.parse:
        return this.#parse(frame, passage)
      case FrontendCode.bind:
        return this.#bind(frame, passage)
      case FrontendCode.describe:
        return this.#describe(frame, passage)
      default:
        return this.#close(frame, passage)
    }
  }

  /** The server has done a DEALLOCATE ALL. */
  deallocated(): void {
    this.#named.deallocated()
  }

  /** The client's server connection may have been used by others since. */
  leave(): void {
    this.#unnamed.left()
  }

  /** A plan of the client's family does not fit its tables any more. */
  plansChanged(): void {
    const families = new Set([this.#scope.family])
    // What was prepared before a move is still of the family that it was then.
    for (const [, { family }] of this.#named.all()) families.add(family)
    for (const family of families) family.epoch += 1
  }

  /** What is prepared from now on belongs elsewhere; what is there already stays as it is. */
  move(scope: StatementScope): void {
    this.#scope = scope
    this.#unnamed.left()
  }

  /**
   * A simple query is sent. Where it names the client's statements, they are there for it under
   * the names that it knows.
   *
   * @returns Names that it was lent: they have to be closed behind it.
   */
  beforeQuery(effects: StatementEffects | undefined, passage: Passage): readonly string[] {
    if (passage.server.isSkipping) return NOTHING
    this.#unnamed.dropped(passage.server)
    if (effects === undefined) return NOTHING
    this.#beforeDeallocateAll(effects, passage.server)
    this.#beforeDeallocate(effects, passage, true)
    return this.#beforeExecute(effects.executes, passage)
  }

  #beforeDeallocateAll({ deallocates }: StatementEffects, server: ServerConnection): void {
    if (deallocates !== 'all') return
    server.statements.distrust()
    this.#named.doom()
  }

  /** DEALLOCATE must find what it names: a statement of nothing takes the name's place. */
  #beforeDeallocate(effects: StatementEffects, passage: Passage, isSimple: boolean): void {
    const { server, frames } = passage
    if (effects.deallocates === 'all') return
    for (const name of effects.deallocates) {
      const statement = ASCII.test(name) ? this.#named.get(name) : undefined
      if (statement === undefined) continue
      this.#named.remove(name)
      // In a failed transaction neither of the two is done.
      const undo = () => this.#named.takeBack(name, statement)
      server.owe(isSimple ? 'hiddenTrial' : 'hiddenParse', { undo })
      frames.insert(parse(name, EMPTY_TAIL))
      if (!isSimple) continue
      server.owe('hiddenSync')
      frames.insert(sync())
    }
  }

  /** EXECUTE of a statement that was prepared by protocol: it is lent its name for the query. */
  #beforeExecute(names: readonly string[], { server, frames }: Passage): readonly string[] {
    const lent: string[] = []
    for (const name of names) {
      const statement = ASCII.test(name) ? this.#named.get(name) : undefined
      if (statement === undefined) continue
      server.owe('hiddenTrial')
      server.owe('hiddenSync')
      frames.insert(Buffer.concat([parse(name, statement.tail), sync()]))
      this.#watch.note(statement.effects)
      lent.push(name)
    }
    return lent
  }

  #parse(frame: Frame, passage: Passage): FrameFate {
    const { chunk, start, frameBytes } = frame
    const { server } = passage
    const nameStart = start + FRAME_HEAD_BYTES
    if (server.isSkipping) return pass(server, 'parse')
    if (chunk[nameStart] === 0) return this.#parseUnnamed(frame, passage)
    if (frameBytes > this.#scope.limits.maxStatementBytes) {
      throw new StatementTooLongError(frameBytes, this.#scope.limits.maxStatementBytes)
    }
    if (chunk.length - start < frameBytes) return 'whole'
    const nameEnd = endOfString(frame, nameStart)
    const name = chunk.toString('latin1', nameStart, nameEnd)
    const taken = this.#named.get(name)
    const isFree = this.#named.isDoomed(name) || this.#named.isUnsure(name, server.batch)
    if (taken !== undefined && !isFree) {
      // The name is in use: the server says so itself when it gets its own name a second time.
      prepare(taken, passage)
      return sendParse({ statement: taken }, passage)
    }
    const { table, family } = this.#scope
    const tail = chunk.subarray(nameEnd + 1, start + frameBytes)
    const statement = table.intern(family, tail, this.#watch.dialect(server))
    if (statement.effects?.namesTenant === true) return this.#parseSubstitute(frame, passage)
    const refusal = this.#watch.refusal(statement.effects)
    if (refusal !== undefined) {
      this.#unnamed.left()
      return refuseParse(refusal, passage)
    }
    return this.#parseAs(name, statement, passage)
  }

  #parseAs(name: string, statement: Statement, passage: Passage): FrameFate {
    const { server } = passage
    const naming = this.#named.give(name, statement, server.batch)
    makeFree(statement, passage)
    const parsing = server.statements.begin(statement, server.batch)
    return sendParse({ statement, change: both(naming, parsing) }, passage)
  }

  #parseUnnamed(frame: Frame, passage: Passage): FrameFate {
    const { chunk, start, frameBytes } = frame
    const { server } = passage
    if (frameBytes > SCANNED_BYTES) {
      this.#unnamed.dropped(server)
      const fate = visitLong(frame, passage, this.#voice)
      if (fate !== undefined) return fate
      this.#watch.noteUnscanned()
      return pass(server, 'parse')
    }
    const textStart = start + FRAME_HEAD_BYTES + 1
    const text = { bytes: chunk, start: textStart, end: endOfString(frame, textStart) }
    const effects = this.#watch.scan(text, server)
    if (effects?.namesTenant === true) return this.#parseSubstitute(frame, passage)
    const refusal = this.#watch.refusal(effects)
    if (refusal !== undefined) {
      this.#unnamed.dropped(server)
      return refuseParse(refusal, passage)
    }
    if (effects !== undefined) this.#beforeDeallocate(effects, passage, false)
    const tail = chunk.subarray(textStart, start + frameBytes)
    server.owe('parse', this.#unnamed.parsed(tail, effects, server))
    return 'pass'
  }

  /** A text that names the tenant is not for the server. */
  #parseSubstitute(frame: Frame, passage: Passage): FrameFate {
    const { server, frames } = passage
    const { bytes, change } = substitute(frame, this.#voice, server)
    if (change !== undefined) {
      const isUnnamed = frame.chunk[frame.start + FRAME_HEAD_BYTES] === 0
      if (isUnnamed) this.#unnamed.dropped(server)
      else this.#unnamed.left()
      return refuseParse(change.refusal, passage)
    }
    const fate = this.#parse(
      { code: frame.code, chunk: bytes, start: 0, frameBytes: bytes.length },
      passage,
    )
    if (fate === 'pass') frames.insert(bytes)
    return 'drop'
  }

  #isOpen(frame: Frame, server: ServerConnection, name: Extent): boolean {
    if (!this.#named.isAnyUnderWay) return false
    return this.#named.isUnsure(frame.chunk.toString('latin1', name.start, name.end), server.batch)
  }

  #bind(frame: Frame, passage: Passage): FrameFate {
    const portalEnd = endOfString(frame, frame.start + FRAME_HEAD_BYTES)
    return this.#rename({ frame, owed: 'bind', nameStart: portalEnd + 1 }, passage)
  }

  #describe(frame: Frame, passage: Passage): FrameFate {
    const kindAt = frame.start + FRAME_HEAD_BYTES
    if (frame.chunk[kindAt] !== STATEMENT_KIND) return pass(passage.server, 'describe')
    return this.#rename({ frame, owed: 'describe', nameStart: kindAt + 1 }, passage)
  }

  /** Puts the server's name for a statement in place of the client's, and the statement there. */
  #rename({ frame, owed, nameStart }: Naming, passage: Passage): FrameFate {
    const { server, frames } = passage
    const name = { start: nameStart, end: endOfString(frame, nameStart) }
    if (name.start === name.end) {
      this.#unnamed.prepare(server, frames)
      if (owed === 'bind') this.#note(this.#unnamed.bound, server)
      return pass(server, owed)
    }
    const statement = this.#lookUp(frame, server, name)
    if (statement === undefined) return pass(server, owed)
    if (owed === 'bind') this.#note(statement, server)
    // If the client's own Parse may have been skipped, it is left to the server to say so.
    const isOpen = this.#isOpen(frame, server, name) && server.statements.use(statement)
    if (!isOpen) prepare(statement, passage)
    server.owe(owed)
    const before = frame.chunk.subarray(frame.start + FRAME_HEAD_BYTES, nameStart)
    frames.replaceHead(...renamed(frame, before, { statement, nameEnd: name.end }))
    return 'pass'
  }

  /** What is bound will be run. */
  #note(bound: Bound | undefined, server: ServerConnection): void {
    if (bound === undefined) return
    const { tail, effects } = bound
    this.#voice.journal?.bound(tail)
    this.#watch.noteBound(tail)
    if (effects === undefined) return
    this.#watch.note(effects)
    this.#beforeDeallocateAll(effects, server)
  }

  /** The server keeps the statement for others; only the client's name for it goes. */
  #close(frame: Frame, { server }: Passage): FrameFate {
    const kindAt = frame.start + FRAME_HEAD_BYTES
    if (frame.chunk[kindAt] !== STATEMENT_KIND) return pass(server, 'close')
    const nameEnd = endOfString(frame, kindAt + 1)
    if (nameEnd === kindAt + 1) this.#unnamed.dropped(server)
    const statement = this.#lookUp(frame, server, { start: kindAt + 1, end: nameEnd })
    if (statement === undefined) return pass(server, 'close')
    const name = frame.chunk.toString('latin1', kindAt + 1, nameEnd)
    this.#named.remove(name)
    server.owe('inventedClose', { undo: () => this.#named.restore(name, statement) })
    return 'drop'
  }

  /** The client's statement of that name; an unknown or empty name is left to the server. */
  #lookUp(frame: Frame, server: ServerConnection, name: Extent): Statement | undefined {
    if (name.start === name.end || server.isSkipping) return undefined
    return this.#named.get(frame.chunk.toString('latin1', name.start, name.end))
  }
}

/** What is sent in place of it leaves no unnamed statement on the server. */
function refuseParse(refusal: Buffer, { server, frames }: Passage): FrameFate {
  server.owe('parse', { undo() {}, refusal })
  frames.insert(parse('', REFUSED_TAIL))
  return 'drop'
}
