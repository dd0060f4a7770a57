import type { PoolView } from '../../../pool/server-view.ts'

/**
 * What stands as `database` for a pool: its tenant, or where tenants share it, database and
 * endpoint. A tenant's name has no `@`, so the two can't be mixed up.
 */
export function databaseOf({ owner, database, host, port }: PoolView): string {
  return owner ?? `${database}@${host}:${port}`
}

/** Groups in the order in which their first member came. */
export function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

export function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
