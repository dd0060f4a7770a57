import type { CatalogChange } from '../change.ts'
import type { CatalogName } from '../entry.ts'

/** Where an entry is kept. */
export function keyOf(prefix: string, { kind, name }: CatalogName): string {
  return `${prefix}${kind}:${name}`
}

/** Where the version stands below which all entries are void. */
export function floorKeyOf(prefix: string): string {
  return `${prefix}floor`
}

/** What all our keys begin with; no two of them begin alike, which tracking asks for. */
export function trackedPrefixes(prefix: string): readonly string[] {
  return [`${prefix}tenant:`, `${prefix}login:`, floorKeyOf(prefix)]
}

/** What a changed key means to those who keep entries; `undefined` for a key that is not ours. */
export function changeOf(prefix: string, key: string): CatalogChange | undefined {
  if (key === floorKeyOf(prefix)) return { kind: 'all', version: undefined }
  for (const kind of ['tenant', 'login'] as const) {
    const start = keyOf(prefix, { kind, name: '' })
    if (!key.startsWith(start)) continue
    const name = key.slice(start.length)
    return { kind: 'name', name: { kind, name }, version: undefined }
  }
  return undefined
}
