import pg from 'pg'
import { LOGINS } from './served.ts'
import type { DemoTenant } from './tenants.ts'

/** What one tenant found when it asked what every tenant asks. */
export interface Visit {
  readonly database: string
  readonly searchPath: string
  readonly backendPid: number
  readonly orders: number
  /** Whose rows the orders are, each name once. */
  readonly owners: readonly string[]
  /** Rows that its UPDATE of all orders reached. */
  readonly updated: number
}

/** Client connections of each tenant that are there at the same time. */
const CROWD_CLIENTS = 5
/** Transactions that each of them runs. */
const CROWD_TRANSACTIONS = 20

/** Sums up what a crowd of clients did. */
export interface Crowd {
  readonly clients: number
  readonly transactions: number
  readonly faults: readonly string[]
}

/** Opens a client as an application would; the tenant stands in the user. */
export async function connectAs(
  port: number,
  user: string,
  password: string = LOGINS.app.password,
): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'orders' })
  // A server that goes away while nothing is asked must not end the demo.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Asks, writes an order, and changes all orders that can be seen: the same SQL for everybody. */
export async function visit(port: number, tenant: DemoTenant): Promise<Visit> {
  const client = await connectAs(port, `app.${tenant.name}`)
  try {
    await client.query('INSERT INTO orders (item, owner) VALUES ($1, $2)', ['gift', tenant.name])
    const { rowCount } = await client.query('UPDATE orders SET item = upper(item)')
    const { rows } = await client.query(
      `SELECT current_database() AS database, current_setting('search_path') AS search_path,
              pg_backend_pid() AS pid, count(*)::int AS orders,
              coalesce(array_agg(DISTINCT owner), '{}') AS owners
       FROM orders`,
    )
    const [row] = rows
    return {
      database: row.database,
      searchPath: row.search_path,
      backendPid: row.pid,
      orders: row.orders,
      owners: row.owners,
      updated: rowCount ?? 0,
    }
  } finally {
    await client.end()
  }
}

/** What is wrong with a tenant's view of its orders, in words; empty when it is as it must be. */
export function findFaults(
  { name, items }: DemoTenant,
  { orders, owners, updated }: Pick<Visit, 'orders' | 'owners' | 'updated'>,
): readonly string[] {
  const expected = items.length + 1
  const faults = owners
    .filter((owner) => owner !== name)
    .map((owner) => `${name} saw rows of ${owner}`)
  if (orders !== expected) faults.push(`${name} saw ${orders} orders, not ${expected}`)
  if (updated !== expected) faults.push(`${name} changed ${updated} orders, not ${expected}`)
  return faults
}

/** Many clients of all tenants at once, over the same few server connections. */
export async function crowd(port: number, tenants: readonly DemoTenant[]): Promise<Crowd> {
  const guests = tenants.flatMap((tenant) => Array.from({ length: CROWD_CLIENTS }, () => tenant))
  const faults = await Promise.all(guests.map((tenant) => stay(port, tenant)))
  return {
    clients: guests.length,
    transactions: guests.length * CROWD_TRANSACTIONS,
    faults: [...new Set(faults.flat())],
  }
}

async function stay(port: number, tenant: DemoTenant): Promise<readonly string[]> {
  const client = await connectAs(port, `app.${tenant.name}`)
  const faults: string[] = []
  try {
    for (let count = 0; count < CROWD_TRANSACTIONS; count++) {
      await client.query('BEGIN')
      // Locks taken in one order can't end in a deadlock; those of a bare UPDATE could.
      const { rows } = await client.query('SELECT owner FROM orders ORDER BY id FOR UPDATE')
      const { rowCount } = await client.query('UPDATE orders SET item = upper(item)')
      await client.query(count % 2 === 0 ? 'COMMIT' : 'ROLLBACK')
      const owners = [...new Set(rows.map(({ owner }) => owner))]
      faults.push(...findFaults(tenant, { orders: rows.length, owners, updated: rowCount ?? 0 }))
    }
    return faults
  } finally {
    await client.end()
  }
}
