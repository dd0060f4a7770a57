import { isDeepStrictEqual } from 'node:util'
import { parseTenantName, type TenantName } from '../tenancy/tenant-name.ts'
import { bestPattern } from '../tenancy/tenant-pattern.ts'
import type { Catalog, Resolution, RouteRequest } from './catalog.ts'
import { decide, type Grant, type VersionedTenant } from './decide.ts'
import { ANY_USER, type SecretSource } from './login.ts'
import type { CatalogRecords, LoginRecord, TemplateRecord, TenantRecord } from './records.ts'

/** What a reload changed. */
export interface FileChange {
  readonly added: readonly TenantName[]
  readonly changed: readonly TenantName[]
  readonly removed: readonly TenantName[]
  /** Logins or templates are no longer what they were, so that any session may be meant. */
  readonly isAboutAll: boolean
}

interface VersionedTemplate {
  readonly record: TemplateRecord
  readonly version: number
}

/** Replaced as a whole, so that no request sees half a reload. */
interface Snapshot {
  readonly logins: readonly LoginRecord[]
  readonly grants: ReadonlyMap<string, Grant>
  /** For users that have no grant of their own. */
  readonly grantOfOthers: Grant | undefined
  /** What an unknown login has to be checked against, to look like those that are known. */
  readonly secretOfUnknown: SecretSource | undefined
  readonly tenants: ReadonlyMap<TenantName, VersionedTenant>
  readonly templates: readonly VersionedTemplate[]
}

/** By which the records of templates are compared: any name does. */
const SAMPLE = parseTenantName('tenant')

/**
 * A catalog held in memory and filled from outside, as from the configuration file.
 * Answers at once and never fails.
 */
export class FileCatalog implements Catalog {
  /** One counter for all tenants: one that is removed and comes back is still newer. */
  #version = 1
  #snapshot: Snapshot

  /** @param records - Kept, not copied: they must be frozen. */
  constructor(records: CatalogRecords) {
    this.#snapshot = snapshotOf(records, undefined, this.#version)
  }

  resolve(request: RouteRequest): Promise<Resolution> {
    const { login, tenant } = request
    return Promise.resolve(
      decide(request, {
        grant: this.grant(login) ?? this.grantOfOthers,
        tenant: this.tenant(tenant) ?? this.templateTenant(tenant),
        secretOfUnknown: this.secretOfUnknown,
      }),
    )
  }

  /** The grant of a login that is listed by its name. */
  grant(login: string): Grant | undefined {
    return this.#snapshot.grants.get(login)
  }

  /** The grant of all users that are not listed. */
  get grantOfOthers(): Grant | undefined {
    return this.#snapshot.grantOfOthers
  }

  get secretOfUnknown(): SecretSource | undefined {
    return this.#snapshot.secretOfUnknown
  }

  /** A tenant that is listed by its name. */
  tenant(name: TenantName): VersionedTenant | undefined {
    return this.#snapshot.tenants.get(name)
  }

  /** What the best fitting template makes of a name. */
  templateTenant(name: TenantName): VersionedTenant | undefined {
    const { templates } = this.#snapshot
    const pattern = bestPattern(
      templates.map(({ record }) => record.pattern),
      name,
    )
    const found = templates.find(({ record }) => record.pattern === pattern)
    const record = found?.record.make(name)
    return found && record && { record, version: found.version, logins: [] }
  }

  /** A version that no record of this process has had. */
  nextVersion(): number {
    this.#version += 1
    return this.#version
  }

  /** The records of all tenants, in the order in which they were given. */
  tenants(): TenantRecord[] {
    return Array.from(this.#snapshot.tenants.values(), ({ record }) => record)
  }

  /**
   * Takes a new set of records in place of the old one, for every later `resolve`. A tenant whose
   * record is equal to its old one keeps its version; a changed or new one gets a version that is
   * higher than all before.
   */
  replace(records: CatalogRecords): FileChange {
    const old = this.#snapshot
    this.#snapshot = snapshotOf(records, old, this.nextVersion())
    return compare(old, this.#snapshot)
  }
}

function snapshotOf(
  { logins, tenants, templates }: CatalogRecords,
  old: Snapshot | undefined,
  version: number,
): Snapshot {
  return {
    ...indexLogins(logins),
    tenants: indexTenants(tenants, old, version),
    templates: templates.map((record) => {
      const before = old?.templates.find((one) => isSameTemplate(one.record, record))
      return before === undefined ? { record, version } : { ...before, record }
    }),
  }
}

function isSameTemplate(one: TemplateRecord, other: TemplateRecord): boolean {
  if (one.pattern.text !== other.pattern.text || SAMPLE === undefined) return false
  return isDeepStrictEqual(one.make(SAMPLE), other.make(SAMPLE))
}

function indexLogins(logins: readonly LoginRecord[]): Omit<Snapshot, 'tenants' | 'templates'> {
  const grants = new Map<string, Grant>()
  for (const { user, secret, tenants } of logins) {
    grants.set(user, { user, secret, tenants: tenants === '*' ? undefined : new Set(tenants) })
  }
  const grantOfOthers = grants.get(ANY_USER)
  // A client may well call itself `*`: it is then a user like any other that is not listed.
  grants.delete(ANY_USER)
  const isAsked = logins.some(({ secret }) => secret.kind === 'authQuery')
  const secretOfUnknown: SecretSource | undefined = isAsked ? { kind: 'authQuery' } : undefined
  return { logins, grants, grantOfOthers, secretOfUnknown }
}

function indexTenants(
  records: readonly TenantRecord[],
  old: Snapshot | undefined,
  version: number,
): Map<TenantName, VersionedTenant> {
  const tenants = new Map<TenantName, VersionedTenant>()
  for (const record of records) {
    const before = old?.tenants.get(record.name)
    const isSame = before !== undefined && isDeepStrictEqual(before.record, record)
    tenants.set(record.name, isSame ? before : { record, version, logins: [] })
  }
  return tenants
}

function compare(old: Snapshot, now: Snapshot): FileChange {
  const added: TenantName[] = []
  const changed: TenantName[] = []
  for (const [name, { version }] of now.tenants) {
    const before = old.tenants.get(name)
    if (before === undefined) added.push(name)
    else if (before.version !== version) changed.push(name)
  }
  const removed = [...old.tenants.keys()].filter((name) => !now.tenants.has(name))
  const isAboutAll =
    !isDeepStrictEqual(old.logins, now.logins) ||
    !isDeepStrictEqual(versionsOf(old.templates), versionsOf(now.templates))
  return { added, changed, removed, isAboutAll }
}

function versionsOf(templates: readonly VersionedTemplate[]): readonly number[] {
  return templates.map(({ version }) => version)
}
