import type { Route, ServerTarget } from '../catalog/route.ts'
import { ServerBudget } from '../limits/server-budget.ts'

/** What one entry of `servers` says of an endpoint, and how many pools were last entered by it. */
interface Figure {
  max: number
  pools: number
}

interface EndpointBudget {
  readonly budget: ServerBudget
  /** By the name of the entry. */
  readonly figures: Map<string, Figure>
}

/** How full a budget is. */
export interface BudgetCounts {
  /** Host and port. */
  readonly server: string
  readonly used: number
  readonly max: number
  /** How often a pool asked for a place in vain, since there is this budget. */
  readonly denied: number
}

/**
 * The budgets of all endpoints. Entries of `servers` that lead to the same host and port share one:
 * the smallest of their figures counts, each as the last route to come said it.
 */
export class Budgets {
  readonly #byEndpoint = new Map<string, EndpointBudget>()

  /** The budget that a pool of this route has part in, until it leaves. `undefined`: none. */
  enter({ target, serverBudget }: Route): ServerBudget | undefined {
    if (serverBudget === undefined) return undefined
    const { server, maxConnections } = serverBudget
    const endpoint = endpointOf(target)
    const entry = this.#byEndpoint.get(endpoint) ?? this.#add(endpoint, maxConnections)
    const figure = entry.figures.get(server) ?? { max: maxConnections, pools: 0 }
    entry.figures.set(server, figure)
    figure.max = maxConnections
    figure.pools += 1
    applyFigures(entry)
    return entry.budget
  }

  /** A pool that entered by this route is gone, or has entered by another one. */
  leave({ target, serverBudget }: Route): void {
    const entry = this.#byEndpoint.get(endpointOf(target))
    const figure = serverBudget && entry?.figures.get(serverBudget.server)
    if (serverBudget === undefined || entry === undefined || figure === undefined) return
    figure.pools -= 1
    if (figure.pools > 0) return
    entry.figures.delete(serverBudget.server)
    applyFigures(entry)
    this.forgetUnused()
  }

  /** Forgets those without a pool, once the server has let go of their last connection. */
  forgetUnused(): void {
    for (const [endpoint, { budget, figures }] of this.#byEndpoint) {
      if (figures.size === 0 && budget.used === 0) this.#byEndpoint.delete(endpoint)
    }
  }

  all(): BudgetCounts[] {
    return Array.from(this.#byEndpoint, ([server, { budget }]) => {
      const { used, max, denied } = budget
      return { server, used, max, denied }
    })
  }

  #add(endpoint: string, max: number): EndpointBudget {
    const entry = { budget: new ServerBudget(max), figures: new Map() }
    this.#byEndpoint.set(endpoint, entry)
    return entry
  }
}

function applyFigures({ budget, figures }: EndpointBudget): void {
  const smallest = Math.min(...Array.from(figures.values(), ({ max }) => max))
  if (figures.size > 0 && smallest !== budget.max) budget.setMax(smallest)
}

/** Two names of one host are two endpoints: nothing is looked up. */
function endpointOf({ host, port }: ServerTarget): string {
  return `${host.toLowerCase()}:${port}`
}
