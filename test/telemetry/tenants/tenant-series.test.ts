import fc from 'fast-check'
import t from 'tap'
import type { TenantObserver } from '../../../src/session/session-observer.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import type { TenantMetricsOptions } from '../../../src/telemetry/tenants/tenant-accounts.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { samplesOf } from '../metrics-fixture.ts'

/** More than most of the proxies below count one by one; the last has the name of the rest. */
const TENANTS = [...Array.from({ length: 11 }, (_, index) => `t${index}`), 'other']

/** Counters of all tenants together, by the one that has them by tenant. */
const TOTALS = {
  pgusher_tenant_transactions_total: 'pgusher_transactions_total',
  pgusher_tenant_transaction_seconds_total: 'pgusher_transaction_seconds_sum',
  pgusher_tenant_queries_total: 'pgusher_queries_total',
  pgusher_tenant_query_seconds_total: 'pgusher_query_seconds_sum',
  pgusher_tenant_received_bytes_total: 'pgusher_client_received_bytes_total',
  pgusher_tenant_sent_bytes_total: 'pgusher_client_sent_bytes_total',
  pgusher_tenant_errors_total: 'pgusher_errors_total',
}

type Step =
  | { readonly kind: 'work'; readonly tenant: string; readonly amount: number }
  | { readonly kind: 'open' | 'close' | 'switch'; readonly tenant: string }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'configure'; readonly options: TenantMetricsOptions }
  | { readonly kind: 'scrape' }

const tenant = fc.constantFrom(...TENANTS)
const options = fc.record({
  tenantLabels: fc.integer({ min: 0, max: 4 }),
  maxTenants: fc.integer({ min: 1, max: 20 }),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('work' as const),
      tenant,
      amount: fc.integer({ min: 0, max: 100_000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('open', 'close', 'switch'), tenant }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('scrape' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      ms: fc.constantFrom(1000, 60_000, 120_000, 600_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('configure' as const), options }) },
)

/** An open session, which keeps whom to tell of its work, as a real one does. */
interface OpenSession {
  tenant: string
  observer: TenantObserver
}

/** Metrics under random traffic, and what a scraper of them remembers. */
class Town {
  readonly #clock = new FakeClock()
  readonly #metrics: Metrics
  #options: TenantMetricsOptions
  readonly #sessions: OpenSession[] = []
  /** The last value of each series that was ever seen. */
  readonly #seen = new Map<string, number>()
  readonly #done = { queries: 0, ms: 0, errors: 0 }
  #shown: ReadonlySet<string> = new Set()
  readonly #hidden = new Set<string>()
  /** Tenants that got a label again after they had lost it. */
  readonly returned = new Set<string>()

  constructor(options: TenantMetricsOptions) {
    this.#options = options
    this.#metrics = new Metrics({ clock: this.#clock, tenants: () => this.#options })
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'work') this.#work(step.tenant, step.amount)
    else if (step.kind === 'time') this.#clock.advance(step.ms)
    else if (step.kind === 'configure') this.#options = step.options
    else if (step.kind === 'scrape') await this.scrape()
    else this.#move(step)
  }

  #work(tenant: string, amount: number): void {
    const session = this.#sessions.find((open) => open.tenant === tenant)
    const observer = session?.observer ?? this.#metrics.sessionObserver.tenant(tenant)
    observer.requestEnded({
      queries: amount % 3,
      durationMs: amount,
      receivedBytes: amount,
      sentBytes: 2 * amount,
    })
    observer.transactionEnded(amount)
    observer.checkedOut(amount % 7)
    observer.leaseEnded(amount)
    if (amount % 5 === 0) observer.errorReported(amount % 2 === 0 ? '40001' : 'Q1Q1Q', 'server')
    this.#done.queries += amount % 3
    this.#done.ms += amount
    this.#done.errors += amount % 5 === 0 ? 1 : 0
  }

  #move({ kind, tenant }: Step & { readonly tenant: string }): void {
    const { sessionObserver } = this.#metrics
    const observer = sessionObserver.tenant(tenant)
    if (kind === 'open') {
      this.#sessions.push({ tenant, observer })
      sessionObserver.opened(tenant, 1)
      return
    }
    const session = this.#sessions.shift()
    if (session === undefined) return
    if (kind === 'close') {
      sessionObserver.closed(session.tenant, undefined)
      return
    }
    sessionObserver.tenantSwitched(tenant, 'done', session.tenant)
    this.#sessions.push({ tenant, observer })
  }

  /** @throws Error - when a series went back, or the sums differ. */
  async scrape(): Promise<void> {
    const samples = await samplesOf(this.#metrics)
    for (const [series, value] of samples) this.#see(series, value)
    this.#noteLabels(samples)
    for (const [byTenant, total] of Object.entries(TOTALS)) {
      requireSame(byTenant, sumOf(this.#seen, byTenant), sumOf(samples, total))
    }
    requireSame('queries', samples.get('pgusher_queries_total') ?? Number.NaN, this.#done.queries)
    const seconds = samples.get('pgusher_query_seconds_sum') ?? Number.NaN
    requireSame('seconds', seconds, this.#done.ms / 1000)
    requireSame('errors', sumOf(samples, 'pgusher_errors_total'), this.#done.errors)
    const servers = sumOf(this.#seen, 'pgusher_tenant_server_seconds_total')
    requireSame('server seconds', servers, this.#done.ms / 1000)
  }

  #see(series: string, value: number): void {
    if (!/^pgusher_tenant_.*tenant="/.test(series) || !/_total\{/.test(series)) return
    const before = this.#seen.get(series) ?? 0
    if (value < before) throw new Error(`${series} went back from ${before} to ${value}`)
    this.#seen.set(series, value)
  }

  #noteLabels(samples: ReadonlyMap<string, number>): void {
    const shown = new Set<string>()
    for (const series of samples.keys()) {
      const [, name] = /^pgusher_tenant_queries_total\{tenant="(.+?)"/.exec(series) ?? []
      if (name !== undefined) shown.add(name)
    }
    for (const name of this.#shown) if (!shown.has(name)) this.#hidden.add(name)
    for (const name of shown) if (this.#hidden.has(name)) this.returned.add(name)
    this.#shown = shown
  }
}

function sumOf(samples: ReadonlyMap<string, number>, family: string): number {
  let sum = 0
  for (const [series, value] of samples) {
    if (series === family || series.startsWith(`${family}{`)) sum += value
  }
  return sum
}

/** But for what is lost where fractions are added up in another order. */
function requireSame(what: string, found: number, wanted: number): void {
  if (Math.abs(found - wanted) < 1e-6) return
  throw new Error(`${what}: ${found} instead of ${wanted}`)
}

t.test('no series goes back, and increases by tenant add up to those of all', async (t) => {
  const runs = 200
  let returned = 0
  await fc.assert(
    fc.asyncProperty(
      options,
      fc.array(step, { maxLength: 120, size: 'max' }),
      async (first, steps) => {
        const town = new Town(first)
        for (const step of steps) await town.take(step)
        await town.scrape()
        returned += town.returned.size
      },
    ),
    { numRuns: runs },
  )
  t.comment(`${runs} cases, ${returned} labels that were lost and got again`)
  t.ok(returned > 0)
})
