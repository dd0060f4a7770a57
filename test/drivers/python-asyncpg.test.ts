import { fromEverySeat } from '../support/driver-seats.ts'
import { runPython } from './python-program.ts'

const CHECKS = [
  'the tag in the user',
  'the tag in server settings',
  'the tag in a url',
  'refusals',
  'typed values',
  'types of the tenant',
  'single statements change hands',
  'large values',
  'what the server says of itself',
  'statements from the cache',
  'prepared statements',
  'statements that leave the cache',
  'without a statement cache',
  'a table that changes under a cached statement',
  'errors in statements',
  'batches',
  'several statements in a string',
  'a transaction with savepoints',
  'an error in the middle of a transaction',
  'copy in and out',
  'copy that fails',
  'a timeout cancels',
  'a cancelled task cancels',
  'cursors',
  'listen and notify',
  'a listener keeps its server connection',
  'reported settings stay',
  'other settings stay',
  'settings at startup',
  'reset',
  'temporary tables',
  'advisory locks',
  'prepare and execute',
  'notices',
  'a pool',
]

await fromEverySeat(
  (t, seat) =>
    runPython(t, seat, {
      modules: ['asyncpg_values', 'asyncpg_statements', 'asyncpg_transactions', 'asyncpg_state'],
      checks: CHECKS,
      databaseChecks: ['schemas of ones own'],
      transactionChecks: ['a pool larger than the proxys'],
    }),
  { majors: [15] },
)
