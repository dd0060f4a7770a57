import type { TenantName } from './tenant-name.ts'

/** The name of a template: it covers all tenants whose name looks like this. */
export interface TenantPattern {
  /** As it is written, such as `eu-*`. */
  readonly text: string
  /** What stands before the `*`, perhaps nothing. */
  readonly prefix: string
  /** What stands behind it, perhaps nothing. */
  readonly suffix: string
}

const TENANT_PATTERN = /^(?<prefix>(?:[a-z0-9][a-z0-9_-]*)?)\*(?<suffix>(?:[a-z0-9_-]*[a-z0-9])?)$/
/** That of a tenant's name, the `*` included. */
const MAX_CHARACTERS = 63

const PLACEHOLDER = '{tenant}'
/** No setting nests as deep. */
const MAX_DEPTH = 8

/** Reads a name with one `*` in it; `undefined` when it could not be that of any tenant. */
export function parseTenantPattern(text: string): TenantPattern | undefined {
  if (text.length > MAX_CHARACTERS) return undefined
  const groups = TENANT_PATTERN.exec(text)?.groups
  if (groups === undefined) return undefined
  const { prefix = '', suffix = '' } = groups
  return { text, prefix, suffix }
}

/** Whether `name` has the form of the pattern. The `*` stands for any text, also for none. */
export function matchesPattern({ prefix, suffix }: TenantPattern, name: TenantName): boolean {
  const isLongEnough = name.length >= prefix.length + suffix.length
  return isLongEnough && name.startsWith(prefix) && name.endsWith(suffix)
}

/**
 * The pattern that covers `name`: of several the one with the longest text, of equally long ones
 * the first by their bytes. In SQL: `ORDER BY length(name) DESC, name COLLATE "C" LIMIT 1`.
 */
export function bestPattern(
  patterns: Iterable<TenantPattern>,
  name: TenantName,
): TenantPattern | undefined {
  let best: TenantPattern | undefined
  for (const pattern of patterns) {
    if (!matchesPattern(pattern, name)) continue
    if (best === undefined || isBetter(pattern.text, best.text)) best = pattern
  }
  return best
}

/** Puts the tenant's name where `text` says `{tenant}`. It needs no encoding in a URL. */
export function fillIn(text: string, tenant: TenantName): string {
  return text.replaceAll(PLACEHOLDER, tenant)
}

/**
 * A copy of plain JSON with the tenant's name in all its strings; keys stay as they are. What
 * nests deeper than any setting is not looked at: it is left for the schema to refuse.
 */
export function fillInAll(value: unknown, tenant: TenantName): unknown {
  return fillInTo(MAX_DEPTH, value, tenant)
}

function fillInTo(depth: number, value: unknown, tenant: TenantName): unknown {
  if (typeof value === 'string') return fillIn(value, tenant)
  if (typeof value !== 'object' || value === null || depth === 0) return value
  const filled = (inner: unknown) => fillInTo(depth - 1, inner, tenant)
  if (Array.isArray(value)) return value.map(filled)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]))
}

function isBetter(text: string, other: string): boolean {
  return text.length === other.length ? text < other : text.length > other.length
}
