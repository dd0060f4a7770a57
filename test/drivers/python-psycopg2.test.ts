import { fromEverySeat } from '../support/driver-seats.ts'
import { runPython } from './python-program.ts'

const CHECKS = [
  'the tag in the user',
  'the tag in options',
  'the tag in a url',
  'the tag in PGOPTIONS',
  'a connection without a tag is refused',
  'typed values',
  'single statements change hands',
  'large values',
  'what the server says of itself',
  'large objects',
  'batches',
  'several statements in a string',
  'a transaction with savepoints',
  'with blocks commit and roll back',
  'copy in and out',
  'copy shows the tenant its rows',
  'copy that fails',
  'cancel',
  'an error in the middle of a transaction',
  'named cursors',
  'a connection that does not block',
  'isolation levels',
  'set session with autocommit',
  'cursors with hold',
  'listen and notify',
  'a listener keeps its server connection',
  'reported settings stay',
  'other settings stay',
  'settings follow their transaction',
  'settings at startup',
  'reset',
  'temporary tables',
  'advisory locks',
  'prepare and execute',
  'notices',
]

await fromEverySeat(
  (t, seat) =>
    runPython(t, seat, {
      modules: [
        'psycopg2_values',
        'psycopg2_statements',
        'psycopg2_transactions',
        'psycopg2_state',
      ],
      checks: CHECKS,
      databaseChecks: ['schemas of ones own'],
    }),
  { majors: [18] },
)
