import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import type { Catalog, Resolution, RouteRequest } from '../catalog.ts'
import { RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogLayer, CatalogObserver } from '../catalog-observer.ts'
import { decide, type Finds, type Grant, type VersionedTenant } from '../decide.ts'
import type { RecordBuilder } from '../documents/record-builder.ts'
import type { LoginDocument, TenantDocument } from '../entry.ts'
import type { FileCatalog } from '../file-catalog.ts'
import type { TenantRecord } from '../records.ts'
import type { Found, Lookups } from './lookups.ts'
import type { KnownEntry } from './record-layers.ts'

/** What a catalog of several layers is made of. */
export interface LayeredCatalogParts {
  /** Names that it lists are looked up nowhere else. */
  readonly file: FileCatalog
  readonly lookups: Pick<Lookups, 'find'>
  readonly builder: RecordBuilder
  readonly observer: Pick<CatalogObserver, 'lookedUp'>
  /** A record is of no use; told once for each time that it was read. */
  refused(error: RecordRefusedError): void
}

/** Where a name was found. */
export interface Finding {
  readonly name: string
  readonly kind: 'tenant' | 'login'
  readonly layer: CatalogLayer
  readonly result: 'found' | 'absent' | 'refused'
  readonly isStale: boolean
  /** Since it was read from its source, in ms. */
  readonly ageMs: number
  readonly version: number
}

/** A resolution and how it came about. */
export interface Explanation {
  readonly resolution: Resolution
  readonly findings: readonly Finding[]
}

/** What a document makes, if it makes sense. */
type Made<Thing> = Thing | 'broken'

/** Tenants whose last record is compared with the next one. */
const MAX_REMEMBERED = 10_000
const NO_TENANTS: ReadonlySet<string> = new Set()

/** The file, and behind it what Postgres knows, through Redis and memory. */
export class LayeredCatalog implements Catalog {
  readonly #parts: LayeredCatalogParts
  #builder: RecordBuilder
  /** What was made of the documents in memory. A document belongs to one name. */
  #tenants = new WeakMap<TenantDocument, Made<VersionedTenant>>()
  #grants = new WeakMap<LoginDocument, Made<Grant>>()
  readonly #last = new LRUCache<TenantName, VersionedTenant>({ max: MAX_REMEMBERED })

  constructor(parts: LayeredCatalogParts) {
    this.#parts = parts
    this.#builder = parts.builder
  }

  /** From now on records are made with other defaults or keys. */
  renew(builder: RecordBuilder): void {
    this.#builder = builder
    this.#tenants = new WeakMap()
    this.#grants = new WeakMap()
  }

  /** @throws CatalogUnavailableError - when it can't be told what a name leads to. */
  async resolve(request: RouteRequest): Promise<Resolution> {
    return (await this.explain(request)).resolution
  }

  /**
   * As `resolve`, with the layers that it took.
   *
   * @throws CatalogUnavailableError - as `resolve`.
   */
  async explain(request: RouteRequest): Promise<Explanation> {
    const findings: Finding[] = []
    // Both at once: an unknown tenant takes as long as an unknown login.
    const [grant, tenant] = await Promise.all([
      this.#grantOf(request.login, findings),
      this.#tenantOf(request.tenant, findings),
    ])
    const { secretOfUnknown } = this.#parts.file
    const finds: Finds = { grant, tenant, secretOfUnknown }
    return { resolution: decide(request, finds), findings }
  }

  /**
   * What is known of one tenant; `undefined` where it is unknown, or its record makes no sense.
   *
   * @throws CatalogUnavailableError - when nobody can say.
   */
  async tenant(name: TenantName): Promise<TenantRecord | undefined> {
    const tenant = await this.#tenantOf(name, [])
    return tenant === 'broken' ? undefined : tenant?.record
  }

  async #grantOf(login: string, findings: Finding[]): Promise<Made<Grant> | undefined> {
    const { file, lookups } = this.#parts
    const listed = file.grant(login)
    this.#note(listed !== undefined)
    if (listed !== undefined) {
      findings.push(inFile('login', login, 0))
      return listed
    }
    const found = await lookups.find({ kind: 'login', name: login })
    const { entry } = found
    const grant = entry.kind === 'login' ? this.#makeGrant(entry.document) : blank(entry)
    findings.push(findingOf('login', login, { found, isBroken: grant === 'broken' }))
    return grant ?? file.grantOfOthers
  }

  async #tenantOf(
    name: TenantName,
    findings: Finding[],
  ): Promise<Made<VersionedTenant> | undefined> {
    const { file, lookups } = this.#parts
    const listed = file.tenant(name)
    this.#note(listed !== undefined)
    if (listed !== undefined) {
      findings.push(inFile('tenant', name, listed.version))
      return listed
    }
    const found = await lookups.find({ kind: 'tenant', name })
    const { entry } = found
    const tenant = entry.kind === 'tenant' ? this.#makeTenant(name, entry.document) : blank(entry)
    findings.push(findingOf('tenant', name, { found, isBroken: tenant === 'broken' }))
    return tenant ?? file.templateTenant(name)
  }

  #makeTenant(name: TenantName, document: TenantDocument): Made<VersionedTenant> {
    let made = this.#tenants.get(document)
    if (made === undefined) {
      made = this.#attempt(() => this.#versioned(name, document))
      this.#tenants.set(document, made)
    }
    return made
  }

  /**
   * An equal record keeps its version: sessions and server connections go by it. Versions of the
   * source would not do, as they go back with a backup.
   */
  #versioned(name: TenantName, document: TenantDocument): VersionedTenant {
    const record = this.#builder.tenant(name, document)
    const last = this.#last.get(name)
    const isSame = last !== undefined && isDeepStrictEqual(last.record, record)
    const version = isSame ? last.version : this.#parts.file.nextVersion()
    const now = { record: isSame ? last.record : record, version, logins: document.logins }
    this.#last.set(name, now)
    return now
  }

  #makeGrant(document: LoginDocument): Made<Grant> {
    let made = this.#grants.get(document)
    if (made === undefined) {
      made = this.#attempt(() => ({
        user: document.user,
        secret: this.#builder.login(document),
        tenants: document.hasAllTenants ? undefined : NO_TENANTS,
      }))
      this.#grants.set(document, made)
    }
    return made
  }

  #note(isListed: boolean): void {
    this.#parts.observer.lookedUp('file', isListed ? 'hit' : 'miss', 0)
  }

  #attempt<Thing>(make: () => Thing): Made<Thing> {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error
      this.#parts.refused(error)
      return 'broken'
    }
  }
}

function inFile(kind: Finding['kind'], name: string, version: number): Finding {
  return { name, kind, layer: 'file', result: 'found', isStale: false, ageMs: 0, version }
}

function findingOf(
  kind: Finding['kind'],
  name: string,
  { found, isBroken }: { readonly found: Found; readonly isBroken: boolean },
): Finding {
  const { entry, layer, isStale, ageMs } = found
  const known = isBroken ? 'refused' : 'found'
  const result = entry.kind === 'absent' ? 'absent' : known
  return { name, kind, layer, result, isStale, ageMs, version: entry.asOf }
}

/** There is no such name, or what its source says of it makes no sense. */
function blank(entry: KnownEntry): 'broken' | undefined {
  return entry.kind === 'refused' ? 'broken' : undefined
}
