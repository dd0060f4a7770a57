import { codeTable } from '../wire/code-table.ts'
import { BackendCode } from '../wire/message-codes.ts'

/**
 * What the server owes for one message that it was sent.
 *
 * `link`, `ask` and `restore` are queries of the proxy's own, `linkPart` what goes before the last
 * of the messages that make up a link; `hiddenParse`, `hiddenClose`,
 * `hiddenTrial` (a Parse that may fail without harm) and `hiddenSync` are its messages among the
 * client's. Their replies are dropped.
 * `inventedClose` is a message of the client's that was not sent on: its
 * replies come from the proxy, at the same place in the stream. `copyEnd` (CopyDone or CopyFail)
 * is owed nothing of its own; it marks its place among the others.
 */
export type Owed =
  | 'query'
  | 'functionCall'
  | 'parse'
  | 'bind'
  | 'describe'
  | 'execute'
  | 'close'
  | 'sync'
  | 'copyEnd'
  | 'link'
  | 'linkPart'
  | 'ask'
  | 'restore'
  | 'hiddenParse'
  | 'hiddenClose'
  | 'hiddenTrial'
  | 'hiddenSync'
  | 'inventedClose'

/** A query of the proxy's own that stands apart from the client's. */
export type OwnQuery = Extract<Owed, 'link' | 'linkPart' | 'ask'>

/** Bookkeeping that was done when a message was sent, to be undone if the server skips it. */
export interface PendingChange {
  undo(): void
  /** The server did what was sent. */
  done?(): void
  /**
   * The message was replaced by one that is no SQL, as the client may not have it run: what the
   * client is told in place of the server's syntax error, as an ErrorResponse.
   */
  readonly refusal?: Buffer
}

/** What a reply means: hand it to the client, keep it, or give up the connection. */
export type ReplyVerdict = 'pass' | 'drop' | 'surprise'

interface Entry {
  readonly owed: Owed
  readonly change: PendingChange | undefined
}

const PLAIN = {
  query: { owed: 'query', change: undefined },
  functionCall: { owed: 'functionCall', change: undefined },
  parse: { owed: 'parse', change: undefined },
  bind: { owed: 'bind', change: undefined },
  describe: { owed: 'describe', change: undefined },
  execute: { owed: 'execute', change: undefined },
  close: { owed: 'close', change: undefined },
  sync: { owed: 'sync', change: undefined },
  copyEnd: { owed: 'copyEnd', change: undefined },
  link: { owed: 'link', change: undefined },
  linkPart: { owed: 'linkPart', change: undefined },
  ask: { owed: 'ask', change: undefined },
  restore: { owed: 'restore', change: undefined },
  hiddenParse: { owed: 'hiddenParse', change: undefined },
  hiddenClose: { owed: 'hiddenClose', change: undefined },
  hiddenTrial: { owed: 'hiddenTrial', change: undefined },
  hiddenSync: { owed: 'hiddenSync', change: undefined },
  inventedClose: { owed: 'inventedClose', change: undefined },
} as const satisfies { [Kind in Owed]: Entry & { readonly owed: Kind } }

/** The entries that a reply of each type may settle or belong to; others are a surprise. */
const EXPECTED = codeTable<readonly Owed[]>({
  [BackendCode.parseComplete]: ['parse', 'hiddenParse', 'hiddenTrial', 'link', 'linkPart'],
  [BackendCode.bindComplete]: ['bind', 'link', 'linkPart'],
  [BackendCode.closeComplete]: ['close', 'hiddenClose', 'link', 'linkPart'],
  [BackendCode.parameterDescription]: ['describe'],
  [BackendCode.rowDescription]: ['describe', 'query', 'link', 'linkPart', 'ask'],
  [BackendCode.noData]: ['describe'],
  [BackendCode.commandComplete]: ['execute', 'query', 'link', 'linkPart', 'ask', 'restore'],
  [BackendCode.emptyQueryResponse]: ['execute', 'query'],
  [BackendCode.portalSuspended]: ['execute'],
  [BackendCode.copyInResponse]: ['execute', 'query'],
  [BackendCode.copyOutResponse]: ['execute', 'query'],
  [BackendCode.copyDone]: ['execute', 'query'],
  [BackendCode.functionCallResponse]: ['functionCall'],
  [BackendCode.readyForQuery]: [
    'query',
    'functionCall',
    'sync',
    'hiddenSync',
    'link',
    'linkPart',
    'ask',
    'restore',
  ],
})

const EXPECTED_READY = EXPECTED[BackendCode.readyForQuery] ?? []

/** Replies that belong to an entry without ending it, whatever the entry. */
const INTERMEDIATE: readonly number[] = [
  BackendCode.parameterDescription,
  BackendCode.copyOutResponse,
  BackendCode.copyDone,
  BackendCode.functionCallResponse,
]

/** Entries that end only with ReadyForQuery. */
const WHOLE_QUERIES: readonly Owed[] = [
  'query',
  'functionCall',
  'link',
  'linkPart',
  'ask',
  'restore',
]

/** Entries that the client knows nothing of. */
const HIDDEN: ReadonlySet<Owed> = new Set([
  'link',
  'linkPart',
  'ask',
  'restore',
  'hiddenParse',
  'hiddenClose',
  'hiddenTrial',
  'hiddenSync',
])

/**
 * Which replies a server connection still owes, in order. It is what tells a connection at rest
 * from one that isn't, whose reply a byte belongs to, and which bookkeeping an error undoes.
 *
 * It follows the server's own rule: after an error in the extended protocol everything up to
 * Sync is skipped.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */
export class ReplyLedger {
  readonly #entries: Entry[] = []
  #first = 0
  /** An error was reported, and the Sync that ends the skipping has not been sent yet. */
  #isSkipping = false
  /** The server takes copy data: it ignores Sync and Flush until CopyDone or CopyFail. */
  #isCopyIn = false
  /** Syncs that a copy has swallowed, unless it failed before it read them. */
  #swallowedSyncs = 0
  #isDoubtful = false
  /** Something has come for the first entry. */
  #isAnswered = false
  /** Replies have come since the last ReadyForQuery: the server waits for a Sync. */
  #isUnsynced = false
  #batch = 0

  /** Number of the Syncs sent so far: an error skips the rest of its own batch, no other. */
  get batch(): number {
    return this.#batch
  }

  /** Messages that are still to be answered. */
  get count(): number {
    return this.#entries.length - this.#first
  }

  /** Nothing is owed, and ReadyForQuery was the last word: without a Sync there is none. */
  get isSettled(): boolean {
    return this.#entries.length === this.#first && !this.#isSkipping && !this.#isUnsynced
  }

  /** The last that it owes is a ReadyForQuery: the client has asked for nothing without an end. */
  get isEnding(): boolean {
    if (this.isSettled) return true
    const last = this.#entries.at(-1)?.owed
    return last !== undefined && !this.#isCopyIn && EXPECTED_READY.includes(last)
  }

  /**
   * The server may say more than the ledger knows of. Once true, it stays so: whether a failed
   * copy has swallowed a Sync can't be seen, so one ReadyForQuery more may come at any time.
   */
  get isDoubtful(): boolean {
    return this.#isDoubtful
  }

  /** The server skips what it gets until Sync: there is no use in bookkeeping. */
  get isSkipping(): boolean {
    return this.#isSkipping
  }

  /** The proxy's own link or question, if that is what is being answered. */
  get own(): OwnQuery | undefined {
    const owed = this.#entries[this.#first]?.owed
    return owed === 'link' || owed === 'linkPart' || owed === 'ask' ? owed : undefined
  }

  /** What to tell the client in place of the error that answers the first entry. */
  get refusal(): Buffer | undefined {
    return this.#entries[this.#first]?.change?.refusal
  }

  /** Notes that a message was sent (or, for invented replies, not sent). */
  push(owed: Owed, change?: PendingChange): void {
    if (isSync(owed)) this.#batch += 1
    if (this.#isSkipping) {
      if (!isSync(owed)) {
        change?.undo()
        return
      }
      this.#isSkipping = false
    } else if (this.#isCopyIn) {
      if (owed === 'sync') {
        this.#swallowedSyncs += 1
        return
      }
      if (owed === 'copyEnd') {
        this.#isCopyIn = false
        return
      }
    } else if (owed === 'copyEnd' && this.count === 0) {
      // The end of a copy that failed before: the server ignores it.
      return
    }
    this.#entries.push(change === undefined ? PLAIN[owed] : { owed, change })
  }

  /** Takes the invented replies that are due before whatever the server says next: how many. */
  takeInvented(): number {
    let due = 0
    while (this.#entries[this.#first]?.owed === 'inventedClose') {
      due += 1
      this.#isUnsynced = true
      this.#finish()
    }
    return due
  }

  /** Settles what a reply settles. Invented replies must have been taken before. */
  settle(code: number): ReplyVerdict {
    if (code === BackendCode.errorResponse) return this.#settleError()
    const head = this.#entries[this.#first]
    if (head === undefined) return this.#settleUnasked(code)
    const isReady = code === BackendCode.readyForQuery
    // A whole query is never answered by ReadyForQuery alone: this one is for something else.
    const isEarly = isReady && !this.#isAnswered && WHOLE_QUERIES.includes(head.owed)
    if (isEarly || EXPECTED[code]?.includes(head.owed) !== true) return this.#settleUnasked(code)
    this.#isAnswered = true
    this.#isUnsynced = !isReady
    if (code === BackendCode.copyInResponse) this.#beginCopyIn()
    // Behind a failed copy it is some other command that is complete.
    if (code === BackendCode.commandComplete && !this.#isDoubtful) this.#swallowedSyncs = 0
    if (this.#isEndOf(head.owed, code)) this.#finish()
    return HIDDEN.has(head.owed) ? 'drop' : 'pass'
  }

  #isEndOf(owed: Owed, code: number): boolean {
    if (code === BackendCode.readyForQuery) return true
    if (code === BackendCode.copyInResponse || INTERMEDIATE.includes(code)) return false
    return !WHOLE_QUERIES.includes(owed)
  }

  #settleError(): ReplyVerdict {
    this.#isCopyIn = false
    if (this.#swallowedSyncs > 0) this.#isDoubtful = true
    const head = this.#entries[this.#first]
    if (head === undefined) {
      // An error that nobody asked for is the server's farewell: it belongs to whoever listens.
      this.#isDoubtful = true
      return 'pass'
    }
    this.#isAnswered = true
    // A hidden Parse stands for the client's own: if it fails, the client has to know.
    const isForClient = !HIDDEN.has(head.owed) || head.owed === 'hiddenParse'
    if (!WHOLE_QUERIES.includes(head.owed)) this.#skipToSync()
    return isForClient ? 'pass' : 'drop'
  }

  /** Takes back what the server will not do, the last first. */
  #skipToSync(): void {
    const undone: PendingChange[] = []
    for (;;) {
      const entry = this.#entries[this.#first]
      this.#isSkipping = entry === undefined
      if (entry === undefined || isSync(entry.owed)) break
      if (entry.change !== undefined) undone.push(entry.change)
      this.#drop()
    }
    for (const change of undone.reverse()) change.undo()
  }

  /** A Sync that was thought swallowed by a failed copy is answered after all. */
  #settleUnasked(code: number): ReplyVerdict {
    const isLate = this.#isDoubtful && this.#swallowedSyncs > 0
    if (code !== BackendCode.readyForQuery || !isLate) return 'surprise'
    this.#swallowedSyncs -= 1
    this.#isSkipping = false
    this.#isUnsynced = false
    return 'pass'
  }

  /** Forgets the Syncs that the server will swallow while it takes copy data. */
  #beginCopyIn(): void {
    const later = this.#entries.slice(this.#first + 1)
    const end = later.findIndex(({ owed }) => owed === 'copyEnd')
    this.#isCopyIn = end === -1
    const swallowed = end === -1 ? later.length : end
    const before = this.#isDoubtful ? this.#swallowedSyncs : 0
    const syncs = later.slice(0, swallowed).filter(({ owed }) => owed === 'sync')
    this.#swallowedSyncs = before + syncs.length
    const kept = later.filter(
      ({ owed }, index) => index > swallowed || (owed !== 'sync' && owed !== 'copyEnd'),
    )
    this.#entries.splice(this.#first + 1, later.length, ...kept)
  }

  #finish(): void {
    this.#entries[this.#first]?.change?.done?.()
    this.#drop()
  }

  #drop(): void {
    this.#dropOne()
    while (this.#entries[this.#first]?.owed === 'copyEnd') this.#dropOne()
  }

  #dropOne(): void {
    this.#isAnswered = false
    // The common case by itself: to empty an array by its length is slow.
    if (this.#entries.length === 1) {
      this.#entries.pop()
      return
    }
    this.#first += 1
    if (this.#first === this.#entries.length) {
      this.#entries.length = 0
      this.#first = 0
    } else if (this.#first > 1024) {
      this.#entries.splice(0, this.#first)
      this.#first = 0
    }
  }
}

function isSync(owed: Owed): boolean {
  return owed === 'sync' || owed === 'hiddenSync'
}
