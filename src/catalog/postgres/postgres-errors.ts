import { ProxyError } from '../../base/proxy-error.ts'
import { SqlState } from '../../base/sql-state.ts'

/** The database holds a schema `pgusher` that this program must not touch. */
export class SchemaMismatchError extends ProxyError {
  override readonly code = 'CATALOG_SCHEMA_MISMATCH'
  override readonly sqlState = SqlState.cannotConnectNow
  override readonly origin = 'proxy'
  override readonly clientMessage = 'the tenant catalog is not available'

  /** @param step - The one that does not fit, as its number and name. */
  constructor(fault: 'changed' | 'unknown', step: string) {
    super(`${WORDS[fault]}: step ${step} of schema pgusher`)
  }
}

const WORDS = {
  changed: 'the database was set up by another version of this program',
  unknown: 'the database is newer than this program',
} as const
