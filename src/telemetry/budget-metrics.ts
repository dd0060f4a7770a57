import type { Registry } from 'prom-client'
import type { BudgetCounts } from '../pool/budgets.ts'
import { registerRead } from './read-metric.ts'

interface Denials {
  /** As the budget counts them: anew, when it was gone in between. */
  seen: number
  total: number
}

/** Shows how full the budgets of servers are. */
export class BudgetMetrics {
  #budgets: readonly BudgetCounts[] = []
  readonly #denials = new Map<string, Denials>()

  constructor(registry: Registry) {
    this.#registerGauges(registry)
    registerRead(
      registry,
      {
        name: 'pgusher_server_budget_denied_total',
        help: 'How often a pool had to wait for a place in the budget of its server.',
        type: 'counter',
      },
      () =>
        Array.from(this.#denials, ([server, { total }]) => ({ labels: { server }, value: total })),
    )
  }

  /** Brings the series up to date. Gauges of budgets that are gone disappear. */
  read(budgets: Iterable<BudgetCounts>): void {
    this.#budgets = [...budgets]
    const gone = new Set(this.#denials.keys())
    for (const { server, denied } of this.#budgets) {
      gone.delete(server)
      const denials = this.#denialsOf(server)
      denials.total += denied < denials.seen ? denied : denied - denials.seen
      denials.seen = denied
    }
    for (const server of gone) this.#denialsOf(server).seen = 0
  }

  #denialsOf(server: string): Denials {
    const denials = this.#denials.get(server) ?? { seen: 0, total: 0 }
    this.#denials.set(server, denials)
    return denials
  }

  #registerGauges(registry: Registry): void {
    registerRead(
      registry,
      {
        name: 'pgusher_server_budget_connections',
        help: 'Server connections that count for the budget of a server, also those under way and those that it has not let go of yet.',
        type: 'gauge',
      },
      () => this.#budgets.map(({ server, used }) => ({ labels: { server }, value: used })),
    )
    registerRead(
      registry,
      {
        name: 'pgusher_server_budget_max_connections',
        help: 'Most server connections that the budget of a server allows.',
        type: 'gauge',
      },
      () => this.#budgets.map(({ server, max }) => ({ labels: { server }, value: max })),
    )
  }
}
