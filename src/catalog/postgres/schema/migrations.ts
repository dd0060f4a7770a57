import { createHash } from 'node:crypto'
import { BUDGETS } from './budgets.ts'
import { CHECKS } from './checks.ts'
import { ISOLATION } from './isolation.ts'
import { NEIGHBOURS } from './neighbours.ts'
import { NOTIFICATIONS } from './notifications.ts'
import { TABLES } from './tables.ts'
import { VERSIONS } from './versions.ts'

/** One step of the schema `pgusher`. Once released it stays as it is: changes are new steps. */
export interface Migration {
  /** Counted from 1 without gaps. */
  readonly number: number
  readonly name: string
  /** Statements that end in semicolons, without those of transactions. */
  readonly sql: string
}

export const MIGRATIONS: readonly Migration[] = [
  { number: 1, name: 'checks', sql: CHECKS },
  { number: 2, name: 'tables', sql: TABLES },
  { number: 3, name: 'versions', sql: VERSIONS },
  { number: 4, name: 'notifications', sql: NOTIFICATIONS },
  { number: 5, name: 'neighbours', sql: NEIGHBOURS },
  { number: 6, name: 'budgets', sql: BUDGETS },
  { number: 7, name: 'isolation', sql: ISOLATION },
]

/** Where the steps that were taken are noted; made before the first one. */
export const BOOTSTRAP = `
CREATE SCHEMA IF NOT EXISTS pgusher;
CREATE TABLE pgusher.migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
`

/** SHA-256 of the step's SQL, in hex. */
export function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql, 'utf8').digest('hex')
}
