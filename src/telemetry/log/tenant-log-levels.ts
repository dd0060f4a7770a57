import type { Clock, ClockTimer } from '../../base/clock.ts'
import { LogLevelsFullError } from '../telemetry-errors.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

/** Least weight of a line that is written; `silent` writes none. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Most tenants that have a level of their own at a time. */
export const MAX_TENANT_LEVELS = 100

/** Longest that a level may be set for, in ms: a week. */
export const MAX_LEVEL_MS = 7 * 86_400_000

/** A level that somebody asks for, and for how long, in ms. */
export interface LevelWish {
  readonly level: LogLevel
  readonly forMs: number | undefined
}

/**
 * Reads what an operator has typed.
 *
 * @returns `undefined` when that is no level, or no time that one may be set for.
 */
export function readLevelWish(level: string, forMs: string | undefined): LevelWish | undefined {
  const known = LOG_LEVELS.find((one) => one === level)
  if (known === undefined) return undefined
  if (forMs === undefined) return { level: known, forMs: undefined }
  const isTime = /^\d{1,9}$/.test(forMs) && Number(forMs) >= 1 && Number(forMs) <= MAX_LEVEL_MS
  return isTime ? { level: known, forMs: Number(forMs) } : undefined
}

/** A tenant whose lines are judged by a level of its own. */
export interface TenantLogLevel {
  readonly tenant: string
  readonly level: LogLevel
  /** Until it ends by itself, in ms; `undefined`: when it is cleared, or the process ends. */
  readonly leftMs: number | undefined
}

/** Told of each change. */
export interface TenantLevelsObserver {
  set(entry: TenantLogLevel): void
  /** It was cleared, or has ended by itself. */
  ended(tenant: string): void
}

interface Entry {
  readonly level: LogLevel
  readonly endsAtMs: number | undefined
  readonly timer: ClockTimer | undefined
}

/**
 * Log levels of single tenants, in force in place of the common one. They are for a while: nothing
 * is stored, and a reload of the configuration leaves them.
 */
export class TenantLogLevels {
  readonly #clock: Clock
  readonly #observer: TenantLevelsObserver
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock, observer: TenantLevelsObserver) {
    this.#clock = clock
    this.#observer = observer
  }

  /**
   * @param forMs - When it ends by itself; at most `MAX_LEVEL_MS`.
   * @throws LogLevelsFullError - `MAX_TENANT_LEVELS` other tenants have one.
   */
  set(tenant: string, level: LogLevel, forMs?: number): void {
    const isNew = !this.#entries.has(tenant)
    if (isNew && this.#entries.size >= MAX_TENANT_LEVELS) throw new LogLevelsFullError()
    this.#entries.get(tenant)?.timer?.cancel()
    const isBounded = forMs !== undefined
    this.#entries.set(tenant, {
      level,
      endsAtMs: isBounded ? this.#clock.nowMs() + forMs : undefined,
      timer: isBounded ? this.#clock.after(forMs, () => this.clear(tenant)) : undefined,
    })
    this.#observer.set({ tenant, level, leftMs: forMs })
  }

  /** @returns whether there was one. */
  clear(tenant: string): boolean {
    this.#entries.get(tenant)?.timer?.cancel()
    const isKnown = this.#entries.delete(tenant)
    if (isKnown) this.#observer.ended(tenant)
    return isKnown
  }

  levelOf(tenant: string): LogLevel | undefined {
    return this.#entries.get(tenant)?.level
  }

  list(): readonly TenantLogLevel[] {
    const nowMs = this.#clock.nowMs()
    return Array.from(this.#entries, ([tenant, { level, endsAtMs }]) => ({
      tenant,
      level,
      leftMs: endsAtMs === undefined ? undefined : Math.max(0, endsAtMs - nowMs),
    }))
  }
}
