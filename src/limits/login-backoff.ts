import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'

/** Stands in the place of a tenant for operators, who are after none. It is no tenant's name. */
export const NO_TENANT = '(none)'

/** Where login attempts come from, and which tenant they are after. */
export interface LoginSource {
  /** The client's address without its port; any fixed word for unix sockets. */
  readonly address: string
  readonly tenant: TenantName | typeof NO_TENANT
}

/** How failed logins are slowed down. */
export interface LoginBackoffOptions {
  /** Failures that cost nothing. @defaultValue `5` */
  readonly freeFailures?: number
  /** Delay after the first failure that counts, doubled by each further one. @defaultValue `250` */
  readonly firstDelayMs?: number
  /** @defaultValue `30_000` */
  readonly maxDelayMs?: number
  /** A source without a failure for so long starts anew. @defaultValue `600_000` */
  readonly forgetAfterMs?: number
  /** Most sources remembered; the one heard of longest ago goes first. @defaultValue `10_000` */
  readonly maxSources?: number
}

interface FailureRecord {
  readonly failures: number
  readonly lastFailureMs: number
}

const DEFAULTS: Required<LoginBackoffOptions> = {
  freeFailures: 5,
  firstDelayMs: 250,
  maxDelayMs: 30_000,
  forgetAfterMs: 600_000,
  maxSources: 10_000,
}

/**
 * Makes guessing passwords slow: each failure from one address at one tenant lengthens the time
 * that the next attempt has to wait. Another tenant's clients at the same address don't feel it.
 */
export class LoginBackoff {
  readonly #clock: Clock
  readonly #options: Required<LoginBackoffOptions>
  readonly #records: LRUCache<string, FailureRecord>

  constructor(clock: Clock, options: LoginBackoffOptions = {}) {
    this.#clock = clock
    this.#options = { ...DEFAULTS, ...options }
    this.#records = new LRUCache({ max: this.#options.maxSources })
  }

  /** Sources remembered. */
  get sourceCount(): number {
    return this.#records.size
  }

  /** How long the next attempt has to wait from now, in ms; `0` lets it go ahead. */
  delayMs(source: LoginSource): number {
    const record = this.#recall(keyOf(source))
    if (record === undefined) return 0
    const sinceFailureMs = this.#clock.nowMs() - record.lastFailureMs
    return Math.max(0, this.#fullDelayMs(record.failures) - sinceFailureMs)
  }

  failed(source: LoginSource): void {
    const key = keyOf(source)
    const failures = (this.#recall(key)?.failures ?? 0) + 1
    this.#records.set(key, { failures, lastFailureMs: this.#clock.nowMs() })
  }

  succeeded(source: LoginSource): void {
    this.#records.delete(keyOf(source))
  }

  #recall(key: string): FailureRecord | undefined {
    const record = this.#records.get(key)
    if (record === undefined) return undefined
    if (this.#clock.nowMs() - record.lastFailureMs < this.#options.forgetAfterMs) return record
    this.#records.delete(key)
    return undefined
  }

  #fullDelayMs(failures: number): number {
    const doublings = failures - this.#options.freeFailures - 1
    if (doublings < 0) return 0
    return Math.min(this.#options.firstDelayMs * 2 ** doublings, this.#options.maxDelayMs)
  }
}

// A tenant name holds no space, so that two sources never share a key.
function keyOf(source: LoginSource): string {
  return `${source.tenant} ${source.address}`
}
