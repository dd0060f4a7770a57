import type { TenantName } from '../../tenancy/tenant-name.ts'
import { fillInAll, matchesPattern, parseTenantPattern } from '../../tenancy/tenant-pattern.ts'
import { RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogRow, LoginDocument, TenantDocument } from '../entry.ts'
import type { SecretSource } from '../login.ts'
import type { TenantRecord } from '../records.ts'
import type { ServerTarget } from '../route.ts'
import type { KeyRing } from '../sealing/key-ring.ts'
import { openRow } from '../sealing/sealed-settings.ts'
import { readSecret } from './login-secret.ts'
import type { RecordDefaults } from './record-defaults.ts'
import { RecordProblems } from './record-problems.ts'
import { type ServerEntry, serverSchema, type TenantEntry, tenantSchema } from './record-schema.ts'
import { reservedPlace } from './reserved-places.ts'
import { ServerTlsReader } from './server-tls.ts'
import { buildServer, buildTenant, type SharedServer } from './tenant-records.ts'

/** What records are made with. */
export interface RecordBuilderParts {
  readonly defaults: RecordDefaults
  readonly ring: KeyRing
  /** Those of the file, for records that come without the row of their server. */
  readonly servers?: ReadonlyMap<string, SharedServer>
  /** Where the catalog itself is: no template leads there. */
  readonly home?: ServerTarget
}

/**
 * Makes records of documents: opens their passwords, checks them as the configuration is checked,
 * and fills in the defaults.
 */
export class RecordBuilder {
  readonly #parts: RecordBuilderParts
  readonly #tlsReader = new ServerTlsReader()

  constructor(parts: RecordBuilderParts) {
    this.#parts = parts
  }

  /**
   * @param name - The tenant that was asked for; a template's document is filled in with it.
   * @throws RecordRefusedError - with everything that is wrong.
   */
  tenant(name: TenantName, { tenant, server }: TenantDocument): TenantRecord {
    const pattern = parseTenantPattern(tenant.name)
    const isTemplate = pattern !== undefined
    if (isTemplate ? !matchesPattern(pattern, name) : tenant.name !== name) {
      throw new RecordRefusedError(`tenant ${name}: its record is that of ${tenant.name}`)
    }
    const problems = new RecordProblems(`tenant ${name}`)
    const entry = this.#tenantEntry(name, tenant, problems)
    const servers = new Map(this.#parts.servers)
    if (server !== undefined) servers.set(server.name, this.#server(server, problems))
    const surroundings = this.#surroundings(problems)
    const record = entry && buildTenant(entry, [], { ...surroundings, servers })
    problems.throwIfAny()
    if (record === undefined) throw new RecordRefusedError(`tenant ${name}: makes no record`)
    const reserved = isTemplate ? reservedPlace(record, this.#parts.home) : undefined
    if (reserved === undefined) return Object.freeze(record)
    throw new RecordRefusedError(`tenant ${name}: a template may not lead to ${reserved}`)
  }

  /** @throws RecordRefusedError - when `auth.method` can't use the secret. */
  login({ user, secret }: LoginDocument): SecretSource {
    const { method } = this.#parts.defaults.auth
    const isHashed = secret === undefined || /^(SCRAM-SHA-256\$|md5[0-9a-f]{32}$)/.test(secret)
    if (!isHashed) throw new RecordRefusedError(`login ${user}: its secret is no verifier`)
    const entry = { user, password: secret, tenants: [] }
    const source = readSecret(entry, { method, canAsk: true, passesOn: undefined })
    if (!('remedy' in source)) return source
    throw new RecordRefusedError(`login ${user}: its secret ${source.message}. ${source.remedy}`)
  }

  #tenantEntry(
    name: TenantName,
    row: CatalogRow,
    problems: RecordProblems,
  ): TenantEntry | undefined {
    const isTemplate = row.name !== name
    // Filled in while its passwords are still sealed: they may hold anything.
    const filled = isTemplate ? (fillInAll(row.settings, name) as CatalogRow['settings']) : {}
    const settings = { ...row.settings, ...filled, name }
    return problems.read(tenantSchema, openRow({ ...row, settings }, 'tenant', this.#parts.ring))
  }

  #server(row: CatalogRow, problems: RecordProblems): SharedServer {
    const { name, ...settings } = openRow(row, 'server', this.#parts.ring)
    const entry: ServerEntry | undefined = problems.read(serverSchema, settings)
    return buildServer(row.name, entry, this.#surroundings(problems))
  }

  #surroundings(report: RecordProblems) {
    return { settings: this.#parts.defaults, report, tlsReader: this.#tlsReader }
  }
}
