import { Gauge, type Registry } from 'prom-client'
import type { BudgetCounts } from '../pool/budgets.ts'

/** Shows how full the budgets of servers are. */
export class BudgetMetrics {
  readonly #used: Gauge<'server'>
  readonly #max: Gauge<'server'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#used = new Gauge({
      name: 'pgusher_server_budget_connections',
      help: 'Server connections that count for the budget of a server, also those under way and those that it has not let go of yet.',
      labelNames: ['server'],
      registers,
    })
    this.#max = new Gauge({
      name: 'pgusher_server_budget_max_connections',
      help: 'Most server connections that the budget of a server allows.',
      labelNames: ['server'],
      registers,
    })
  }

  /** Brings the gauges up to date. Those of budgets that are gone disappear. */
  read(budgets: Iterable<BudgetCounts>): void {
    this.#used.reset()
    this.#max.reset()
    for (const { server, used, max } of budgets) {
      this.#used.set({ server }, used)
      this.#max.set({ server }, max)
    }
  }
}
