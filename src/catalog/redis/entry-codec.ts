import { z } from 'zod'
import { parseTenantName } from '../../tenancy/tenant-name.ts'
import { matchesPattern, parseTenantPattern } from '../../tenancy/tenant-pattern.ts'
import type { CatalogEntry, CatalogName, LoginDocument, TenantDocument } from '../entry.ts'

/** What a stored value says of its name. */
export type StoredValue =
  | { readonly kind: 'entry'; readonly entry: CatalogEntry; readonly keptMs: number }
  /** What was known of the name before is out of date. */
  | { readonly kind: 'void' }
  | { readonly kind: 'unreadable'; readonly reason: string }

const FORMAT = 1
/** More levels than any record has; what comes after us may recurse. */
const MAX_DEPTH = 32

const count = z.int().min(0)

const row = z.strictObject({
  name: z.string(),
  version: count,
  settings: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.string()),
  secretsVersion: count,
})

const tenant = z.strictObject({
  tenant: row,
  server: row.optional(),
  logins: z.array(z.string()),
})

const login = z.strictObject({
  user: z.string(),
  version: count,
  secret: z.string().optional(),
  hasAllTenants: z.boolean(),
})

const stored = z.strictObject({
  format: z.literal(FORMAT),
  asOf: count,
  keptMs: z.int().min(1).optional(),
  tenant: tenant.optional(),
  login: login.optional(),
  absent: z.literal(true).optional(),
  void: z.literal(true).optional(),
})

/** @param keptMs - How long it is stored, in ms; a reader tells the age of the entry from it. */
export function encodeEntry(entry: CatalogEntry, keptMs: number): string {
  const { kind, asOf } = entry
  const known = kind === 'absent' ? { absent: true } : { [kind]: entry.document }
  return JSON.stringify({ format: FORMAT, asOf, keptMs, ...known })
}

/** All that is older than `asOf` is void. */
export function encodeVoid(asOf: number): string {
  return JSON.stringify({ format: FORMAT, asOf, void: true })
}

/**
 * Never throws, whatever the bytes. A value has to fit its name: one that was copied from another
 * key is unreadable.
 */
export function decodeValue(name: CatalogName, bytes: Buffer): StoredValue {
  const json = parse(bytes)
  if (json === undefined) return unreadable('it is no JSON in UTF-8')
  if (!isShallow(json, MAX_DEPTH)) return unreadable(`it is nested deeper than ${MAX_DEPTH} levels`)
  const { data, error } = stored.safeParse(json)
  if (data === undefined) return unreadable(pathsOf(error))
  const { asOf, keptMs, absent } = data
  const kinds = [data.tenant, data.login, absent, data.void].filter((value) => value !== undefined)
  if (kinds.length !== 1) return unreadable('it is not one of tenant, login, absent and void')
  if (data.void) return { kind: 'void' }
  if (keptMs === undefined) return unreadable('keptMs: is missing')
  const entry = absent ? { kind: 'absent' as const, asOf } : entryOf(name, data)
  return entry ? { kind: 'entry', entry, keptMs } : unreadable('it is about another name')
}

function entryOf(
  { kind, name }: CatalogName,
  data: Pick<z.infer<typeof stored>, 'asOf' | 'tenant' | 'login'>,
): CatalogEntry | undefined {
  const { asOf } = data
  if (kind === 'tenant' && data.tenant && covers(data.tenant.tenant.name, name)) {
    const { server, ...rest } = data.tenant
    const document: TenantDocument = { ...rest, server }
    return { kind, asOf, document }
  }
  if (kind === 'login' && data.login && (data.login.user === name || data.login.user === '*')) {
    const { secret, ...rest } = data.login
    const document: LoginDocument = { ...rest, secret }
    return { kind, asOf, document }
  }
  return undefined
}

/** Whether a row of that name, or a template of that pattern, may answer for the name. */
function covers(text: string, name: string): boolean {
  const pattern = parseTenantPattern(text)
  const tenant = parseTenantName(name)
  if (pattern === undefined || tenant === undefined) return text === name
  return matchesPattern(pattern, tenant)
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}

/** Names the places alone: what stands there may be a secret. */
function pathsOf({ issues }: z.ZodError): string {
  const paths = issues.map(({ path, code }) => `${path.join('.') || 'the value'}: ${code}`)
  return paths.slice(0, 3).join(', ')
}

function unreadable(reason: string): StoredValue {
  return { kind: 'unreadable', reason }
}
