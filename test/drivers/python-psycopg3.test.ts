import { fromEverySeat } from '../support/driver-seats.ts'
import { runPython } from './python-program.ts'

const CHECKS = [
  'the tag in the user',
  'the tag in options',
  'the tag in a url',
  'typed values',
  'types of the tenant',
  'single statements change hands',
  'large values',
  'what the server says of itself',
  'statements prepared on the way',
  'prepared statements in transactions',
  'prepared at once',
  'statements that leave the cache',
  'a rollback empties the cache',
  'a statement that can not be prepared',
  'a table that changes under a prepared statement',
  'a pipeline',
  'a pipeline in a transaction',
  'an error in a pipeline',
  'batches',
  'streamed rows',
  'client side cursors',
  'asyncio connections',
  'a transaction with savepoints',
  'an error in the middle of a transaction',
  'copy in and out',
  'copy that fails',
  'cancel',
  'server cursors',
  'asyncio cancel',
  'isolation levels',
  'cursors with hold',
  'listen and notify',
  'reported settings stay',
  'other settings stay',
  'settings follow their transaction',
  'temporary tables',
  'advisory locks',
  'prepare and execute',
  'notices',
]

await fromEverySeat(
  (t, seat) =>
    runPython(t, seat, {
      modules: [
        'psycopg3_values',
        'psycopg3_statements',
        'psycopg3_transactions',
        'psycopg3_state',
      ],
      checks: CHECKS,
      databaseChecks: ['schemas of ones own'],
    }),
  { majors: [18] },
)
