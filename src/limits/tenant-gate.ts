import type { TenantName } from '../tenancy/tenant-name.ts'

/** Counts the clients of each tenant. Takes memory only for tenants with a client inside. */
export class TenantGate {
  readonly #counts = new Map<TenantName, number>()

  /** Tenants with a client inside. */
  get tenantCount(): number {
    return this.#counts.size
  }

  /** Clients of `tenant` inside. */
  countOf(tenant: TenantName): number {
    return this.#counts.get(tenant) ?? 0
  }

  /**
   * Takes a place; each `true` must be answered by one `leave`.
   *
   * @param max - The tenant's limit as its record now says; `0` means no limit.
   */
  tryEnter(tenant: TenantName, max: number): boolean {
    const count = this.countOf(tenant)
    if (max > 0 && count >= max) return false
    this.#counts.set(tenant, count + 1)
    return true
  }

  leave(tenant: TenantName): void {
    const count = this.countOf(tenant)
    if (count === 0) throw new Error(`left the gate of tenant ${tenant} that nobody had entered`)
    if (count === 1) this.#counts.delete(tenant)
    else this.#counts.set(tenant, count - 1)
  }
}
