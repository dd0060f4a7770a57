import type { ProxyState } from '../proxy-state.ts'
import type { Work } from '../work.ts'
import type { TenantAccounts } from './tenant-accounts.ts'
import { OTHER_TENANTS } from './tenant-labels.ts'
import type { TenantLine } from './tenant-metrics.ts'

/** Says at each scrape which series there are by tenant. */
export class TenantLines {
  readonly #accounts: TenantAccounts
  readonly #other: Work
  #all: readonly TenantLine[] = []

  /** @param other - What tenants did while they had no label. */
  constructor(accounts: TenantAccounts, other: Work) {
    this.#accounts = accounts
    this.#other = other
  }

  /** As they were when they were read: those with a label, then all others together. */
  get all(): readonly TenantLine[] {
    return this.#all
  }

  /** Brings them up to date. */
  read(state: ProxyState | undefined, nowMs: number): void {
    const waiting = waitingByTenant(state)
    const rest = { sessions: state?.sessionCount() ?? 0, waiting: total(waiting) }
    const lines: TenantLine[] = []
    for (const { name, labelled } of this.#accounts.shown(nowMs)) {
      if (labelled === undefined) continue
      const line = {
        tenant: name,
        work: labelled,
        sessions: state?.sessionsOf(name) ?? 0,
        waiting: waiting.get(name) ?? 0,
      }
      rest.sessions -= line.sessions
      rest.waiting -= line.waiting
      lines.push(line)
    }
    this.#all = [...lines, { tenant: OTHER_TENANTS, work: this.#other, ...rest }]
  }

  /** One tenant alone, with all that it did; `undefined`: nothing is counted of it. */
  of(name: string, state: ProxyState | undefined): TenantLine | undefined {
    const account = this.#accounts.find(name)
    if (account === undefined) return undefined
    return {
      tenant: name,
      work: account.work,
      sessions: state?.sessionsOf(name) ?? 0,
      waiting: waitingByTenant(state).get(name) ?? 0,
    }
  }
}

function waitingByTenant(state: ProxyState | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const tenant of state?.waitingTenants() ?? []) {
    counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
  }
  return counts
}

function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const count of counts.values()) sum += count
  return sum
}
