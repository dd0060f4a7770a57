import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.ts'
import { parseTenantName, type TenantName } from '../../tenancy/tenant-name.ts'
import { parseTenantPattern, type TenantPattern } from '../../tenancy/tenant-pattern.ts'
import { RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogEntry, CatalogName, TenantDocument } from '../entry.ts'
import type { TenantRecord } from '../records.ts'

/** With what a template's tenants are proven. */
export interface TemplateProverParts {
  /** @throws RecordRefusedError */
  build(name: TenantName, document: TenantDocument): TenantRecord
  /** @throws when nobody can say. */
  probe(record: TenantRecord): Promise<'present' | 'absent'>
  readonly clock: Clock
}

/** What was found there stays believed for so long, so that a busy tenant is not asked for each time. */
const TRUST_MS = 60_000
const MAX_TRUSTED = 10_000

/**
 * Tells the tenants that a template makes from names that somebody made up: a tenant whose database
 * or schema is not there is unknown, as any other name that nobody knows.
 */
export class TemplateProver {
  readonly #parts: TemplateProverParts
  /** When each tenant was last seen there. */
  readonly #seenMs = new LRUCache<string, number>({ max: MAX_TRUSTED })

  constructor(parts: TemplateProverParts) {
    this.#parts = parts
  }

  /**
   * The entry, or that there is no such tenant. Asks the tenant's server, if not just done.
   *
   * @throws RecordRefusedError - when the template makes no tenant of any name.
   */
  async examine(name: CatalogName, entry: CatalogEntry): Promise<CatalogEntry> {
    if (entry.kind !== 'tenant') return entry
    const pattern = parseTenantPattern(entry.document.tenant.name)
    if (pattern === undefined) return entry
    const record = this.#build(name.name, pattern, entry.document)
    const isThere = record !== undefined && (await this.#isThere(record))
    return isThere ? entry : { kind: 'absent', asOf: entry.asOf }
  }

  /** A name that the template can't be filled in with is unknown; a template may be broken. */
  #build(text: string, pattern: TenantPattern, document: TenantDocument): TenantRecord | undefined {
    const name = parseTenantName(text)
    if (name === undefined) return undefined
    try {
      return this.#parts.build(name, document)
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error
      const sample = parseTenantName(`${pattern.prefix}a${pattern.suffix}`)
      if (sample !== undefined) this.#parts.build(sample, document)
      return undefined
    }
  }

  async #isThere(record: TenantRecord): Promise<boolean> {
    // Whom the server would be asked as is known when the client has proved it, and no sooner.
    if (record.serverUser === 'client') return true
    const place = placeOf(record)
    const nowMs = this.#parts.clock.nowMs()
    const seenMs = this.#seenMs.get(place)
    if (seenMs !== undefined && nowMs - seenMs < TRUST_MS) return true
    const isThere = (await this.#parts.probe(record)) === 'present'
    if (isThere) this.#seenMs.set(place, nowMs)
    return isThere
  }
}

function placeOf({ target, tenancy }: TenantRecord): string {
  const { host, port, database, user } = target
  const [schema] = tenancy.strategy === 'schema' ? tenancy.searchPath : []
  return JSON.stringify([host, port, database, user, schema])
}
