import { fromEverySeat } from '../support/driver-seats.ts'
import { runPython } from './python-program.ts'

const CHECKS = [
  'the tag in the url',
  'the tag in connect args',
  'typed values in the orm',
  'a pool with pre ping',
  'a transaction with savepoints',
  'an error in the middle',
  'batches',
  'streamed results',
  'isolation levels',
  'reflection',
  'settings of each connection',
  'temporary tables',
  'advisory locks',
  'large values',
  'the tag with asyncpg',
  'typed values in the orm with asyncpg',
  'a pool with pre ping with asyncpg',
  'a transaction with savepoints with asyncpg',
  'streamed results with asyncpg',
  'isolation levels with asyncpg',
  'reflection with asyncpg',
  'large values with asyncpg',
  'cancel with asyncpg',
]

await fromEverySeat(
  (t, seat) =>
    runPython(t, seat, {
      modules: ['sqlalchemy_psycopg2', 'sqlalchemy_asyncpg'],
      checks: CHECKS,
    }),
  { majors: [15] },
)
