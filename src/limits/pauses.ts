import type { TenantName } from '../tenancy/tenant-name.ts'

/** Who waits until its tenant goes on. */
export interface Paused {
  readonly tenant: TenantName
  resumed(): void
}

/** Which tenants an operator has paused, and who waits for that to end. */
export class Pauses {
  #isAll = false
  readonly #tenants = new Set<string>()
  /** In the order in which they came. */
  readonly #waiting = new Set<Paused>()

  /** Tenants that are paused by name. */
  get tenants(): readonly string[] {
    return [...this.#tenants]
  }

  /** All tenants are paused, whatever their names. */
  get isAll(): boolean {
    return this.#isAll
  }

  /** For each who waits, the tenant. */
  *waitingTenants(): Iterable<string> {
    for (const { tenant } of this.#waiting) yield tenant
  }

  isPaused(tenant: string): boolean {
    return this.#isAll || this.#tenants.has(tenant)
  }

  /** @param tenant - `undefined`: all. */
  pause(tenant: string | undefined): void {
    if (tenant === undefined) this.#isAll = true
    else this.#tenants.add(tenant)
  }

  /**
   * Those who wait go on, the first to come first.
   *
   * @param tenant - `undefined`: all, also those paused by name.
   * @returns Whether that was paused.
   */
  resume(tenant: string | undefined): boolean {
    const wasPaused = tenant === undefined ? this.#resumeAll() : this.#tenants.delete(tenant)
    for (const paused of [...this.#waiting]) {
      if (this.isPaused(paused.tenant)) continue
      // One of those before it may have ended its wait.
      if (this.#waiting.delete(paused)) paused.resumed()
    }
    return wasPaused
  }

  /** `paused` is told once when its tenant goes on, unless it leaves before. */
  wait(paused: Paused): void {
    this.#waiting.add(paused)
  }

  leave(paused: Paused): void {
    this.#waiting.delete(paused)
  }

  /**
   * Resolves when the tenant is not paused: for logins, which have no session yet.
   *
   * @throws the reason of the signal.
   */
  async passed(tenant: TenantName, signal: AbortSignal): Promise<void> {
    if (!this.isPaused(tenant)) return
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const paused = { tenant, resumed: () => end(resolve) }
      const aborted = () => end(() => reject(signal.reason))
      const end = (settle: () => void) => {
        signal.removeEventListener('abort', aborted)
        this.leave(paused)
        settle()
      }
      signal.addEventListener('abort', aborted)
      this.wait(paused)
    })
  }

  #resumeAll(): boolean {
    const wasPaused = this.#isAll || this.#tenants.size > 0
    this.#isAll = false
    this.#tenants.clear()
    return wasPaused
  }
}
