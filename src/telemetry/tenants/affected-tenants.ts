import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import { TenantSketch } from './tenant-sketch.ts'

const WINDOW_MS = 60_000

/** The tenants that errors of one code hit, in this window and in the one before. */
interface Affected {
  current: TenantSketch
  previous: TenantSketch
}

/** Tells how many tenants each error of the proxy has hit of late. */
export class AffectedTenants {
  readonly #clock: Clock
  readonly #gauge: Gauge<'code'>
  readonly #byCode = new Map<string, Affected>()
  #window = 0

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock
    this.#gauge = new Gauge({
      name: 'pgusher_tenants_affected',
      help: 'Tenants that an error of the proxy hit in the last one to two minutes, by its code; an estimate.',
      labelNames: ['code'],
      registers: [registry],
    })
  }

  /** @param code - Of a `ProxyError`, so that there is a bounded number of them. */
  note(tenant: string, code: string): void {
    this.#moveOn()
    const affected = this.#byCode.get(code) ?? nobody()
    this.#byCode.set(code, affected)
    affected.current.add(tenant)
  }

  /** Brings the gauge up to date. */
  read(): void {
    this.#moveOn()
    for (const [code, { current, previous }] of this.#byCode) {
      this.#gauge.set({ code }, current.countWith(previous))
    }
  }

  #moveOn(): void {
    const window = Math.floor(this.#clock.nowMs() / WINDOW_MS)
    if (window === this.#window) return
    const isNext = window === this.#window + 1
    this.#window = window
    for (const affected of this.#byCode.values()) {
      affected.previous = isNext ? affected.current : new TenantSketch()
      affected.current = new TenantSketch()
    }
  }
}

function nobody(): Affected {
  return { current: new TenantSketch(), previous: new TenantSketch() }
}
