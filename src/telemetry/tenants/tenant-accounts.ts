import { TenantAccount, type WorkTotals } from './tenant-account.ts'
import { type TenantLabelLimits, TenantLabels } from './tenant-labels.ts'

/** How many tenants are told apart. */
export interface TenantMetricsOptions {
  /** Most tenants with a label of their own at a time. */
  readonly tenantLabels: number
  /** Most tenants whose work is counted one by one. */
  readonly maxTenants: number
}

/**
 * The accounts of tenants, a bounded number of them. To make room, the tenant that has been without
 * a session for the longest time is forgotten. Who ever had a label is not: its series would begin
 * anew. Where nobody can be forgotten, newcomers are counted together.
 */
export class TenantAccounts {
  readonly #options: () => TenantMetricsOptions
  readonly #totals: WorkTotals
  readonly #labels: TenantLabels
  readonly #byName = new Map<string, TenantAccount>()
  /** Those that can be forgotten, in this order. */
  readonly #absent = new Set<TenantAccount>()
  /** Of all whom there was no room for. */
  readonly #crowd: TenantAccount

  constructor(options: () => TenantMetricsOptions, totals: WorkTotals, nowMs: number) {
    this.#options = options
    this.#totals = totals
    this.#labels = new TenantLabels(() => labelLimits(options()), nowMs)
    this.#crowd = new TenantAccount('', totals)
  }

  /** The account of a tenant, or that of the crowd. */
  of(name: string): TenantAccount {
    return this.#byName.get(name) ?? this.#open(name)
  }

  /** `undefined`: nothing is counted of it alone. */
  find(name: string): TenantAccount | undefined {
    return this.#byName.get(name)
  }

  /** A session of the tenant was opened. */
  entered(name: string): void {
    const account = this.of(name)
    account.sessions += 1
    this.#absent.delete(account)
  }

  /** A session of the tenant is gone. */
  left(name: string): void {
    const account = this.#byName.get(name)
    // It may be one of those that came while there was no room for an account.
    if (account === undefined || account.sessions === 0) return
    account.sessions -= 1
    this.#noteAbsence(account)
  }

  /** Whose series are shown alone, with ranks taken when it is time. */
  shown(nowMs: number): readonly TenantAccount[] {
    this.#labels.rank(this.#byName.values(), nowMs)
    for (const account of this.#labels.shown) this.#absent.delete(account)
    return this.#labels.shown
  }

  #open(name: string): TenantAccount {
    if (!this.#makeRoom()) return this.#crowd
    const account = new TenantAccount(name, this.#totals)
    this.#byName.set(name, account)
    this.#labels.offer(account)
    this.#noteAbsence(account)
    return account
  }

  #noteAbsence(account: TenantAccount): void {
    if (account.sessions === 0 && account.labelled === undefined) this.#absent.add(account)
  }

  #makeRoom(): boolean {
    const { maxTenants } = this.#options()
    for (const account of this.#absent) {
      if (this.#byName.size < maxTenants) break
      this.#absent.delete(account)
      this.#byName.delete(account.name)
    }
    return this.#byName.size < maxTenants
  }
}

/** At least half of the accounts can be forgotten, unless as many labels are wanted. */
function labelLimits({ tenantLabels, maxTenants }: TenantMetricsOptions): TenantLabelLimits {
  const maxEver = Math.min(maxTenants, Math.max(tenantLabels, Math.floor(maxTenants / 2)))
  return { max: tenantLabels, maxEver }
}
