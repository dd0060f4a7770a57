import { parseTenantName } from '../tenancy/tenant-name.ts'
import { bestPattern, type TenantPattern } from '../tenancy/tenant-pattern.ts'

/** Where names come from that are not listed. */
interface OtherNames {
  readonly patterns: readonly TenantPattern[]
  /** A source outside of the file may know any name. */
  readonly isOpen: boolean
}

/** The names that settings may call tenants by. */
export class TenantNames {
  /** Those of all entries of `tenants`, also of those that have problems. */
  readonly listed: ReadonlySet<string>
  readonly #others: OtherNames

  constructor(listed: ReadonlySet<string>, others: OtherNames) {
    this.listed = listed
    this.#others = others
  }

  has(text: string): boolean {
    if (this.listed.has(text)) return true
    const name = parseTenantName(text)
    if (name === undefined) return false
    return this.#others.isOpen || bestPattern(this.#others.patterns, name) !== undefined
  }
}
