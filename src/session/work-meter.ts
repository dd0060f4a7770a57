import type { Clock } from '../base/clock.ts'
import type { ServerConnection } from '../server/server-connection.ts'
import type { TenantObserver } from './session-observer.ts'

/** How many bytes have passed since a client is served in its tenant. */
export interface PassedBytes {
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** A time that has not begun. */
const NONE = -1

/** Measures what is done for one client in one tenant, and tells it. */
export class WorkMeter {
  readonly #observer: TenantObserver
  readonly #clock: Clock
  readonly #passed: PassedBytes
  /** On the clock, in ms: since when it waits, holds a server connection, and so on. */
  #waitingMs = NONE
  #lentMs = NONE
  #transactionMs = NONE
  #requestMs = NONE
  #lastRequestMs = NONE
  /** What has been told of. */
  #queries = 0
  #receivedBytes = 0
  #sentBytes = 0

  constructor(observer: TenantObserver, clock: Clock, passed: PassedBytes) {
    this.#observer = observer
    this.#clock = clock
    this.#passed = passed
  }

  /** How long it has waited for a server connection, in ms; `0` while it does not. */
  get waitMs(): number {
    return this.#waitingMs === NONE ? 0 : this.#clock.nowMs() - this.#waitingMs
  }

  /** Since its latest request reached a server connection, in ms; `undefined` before the first. */
  get requestAgeMs(): number | undefined {
    return this.#lastRequestMs === NONE ? undefined : this.#clock.nowMs() - this.#lastRequestMs
  }

  /** None was free. */
  waits(): void {
    this.#waitingMs = this.#clock.nowMs()
  }

  /** It waits no more, and has got none. */
  waitsNoMore(): void {
    this.#waitingMs = NONE
  }

  lent({ queryCount }: ServerConnection): void {
    const nowMs = this.#clock.nowMs()
    this.#observer.checkedOut(this.#waitingMs === NONE ? 0 : nowMs - this.#waitingMs)
    this.#waitingMs = NONE
    this.#lentMs = nowMs
    this.#queries = queryCount
  }

  /** Bytes of a request go to the server connection; it may have begun before. */
  requested(): void {
    if (this.#requestMs !== NONE) return
    this.#requestMs = this.#clock.nowMs()
    this.#lastRequestMs = this.#requestMs
    if (this.#transactionMs === NONE) this.#transactionMs = this.#requestMs
  }

  /** Nothing is owed. */
  answered({ queryCount }: ServerConnection): void {
    if (this.#requestMs === NONE) return
    const { receivedBytes, sentBytes } = this.#passed
    this.#observer.requestEnded({
      queries: queryCount - this.#queries,
      durationMs: this.#clock.nowMs() - this.#requestMs,
      receivedBytes: receivedBytes - this.#receivedBytes,
      sentBytes: sentBytes - this.#sentBytes,
    })
    this.#queries = queryCount
    this.#receivedBytes = receivedBytes
    this.#sentBytes = sentBytes
    this.#requestMs = NONE
  }

  transactionEnded(): void {
    if (this.#transactionMs === NONE) return
    this.#observer.transactionEnded(this.#clock.nowMs() - this.#transactionMs)
    this.#transactionMs = NONE
  }

  /** The server connection is its own no more; what was under way there is counted as it stands. */
  returned(server: ServerConnection): void {
    this.answered(server)
    this.#transactionMs = NONE
    if (this.#lentMs === NONE) return
    this.#observer.leaseEnded(this.#clock.nowMs() - this.#lentMs)
    this.#lentMs = NONE
  }

  errorReported(sqlState: string, origin: 'server' | 'proxy'): void {
    this.#observer.errorReported(sqlState, origin)
  }
}
