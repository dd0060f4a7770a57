import postgres from 'postgres'
import type { Test } from 'tap'
import type { Seat } from '../support/driver-seats.ts'

export type Sql = postgres.Sql<{ bigint: bigint }>

type Options = postgres.Options<{ bigint: postgres.PostgresType<bigint> }>

/** postgres.js on one connection, unless `max` says more; ended with the test. */
export function open(t: Test, seat: Seat, options: Options = {}): Sql {
  return endWith(t, postgres({ ...connectionOptions(seat), ...options }))
}

export function openUrl(t: Test, url: string): Sql {
  return endWith(t, postgres(url, { max: 1, types: { bigint: postgres.BigInt } }))
}

/** The process of the server connection that runs this query. */
export async function pidOf(sql: postgres.ISql<{ bigint: bigint }>): Promise<number> {
  const rows = await sql`SELECT pg_backend_pid() AS pid`
  // Behind a cursor that failed, postgres.js puts the row behind empty places.
  return rows.at(-1)?.['pid']
}

/** The tenant in the user; the database may have any name. */
function connectionOptions({ host, port, user, password, database }: Seat): Options {
  const types = { bigint: postgres.BigInt }
  return { host, port, user, password, database, max: 1, types, onnotice: () => {} }
}

function endWith(t: Test, sql: Sql): Sql {
  t.teardown(() => sql.end({ timeout: 0 }))
  return sql
}
