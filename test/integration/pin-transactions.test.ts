import t from 'tap'
import { PAIRS } from '../support/saas.ts'
import { pinsOrNot } from './pin-check.ts'
import { onBoth, open } from './state-fixture.ts'

/** State that is made inside a transaction, and whether Postgres keeps it if that is undone. */
const MADE = [
  { reason: 'set', make: "SET work_mem = '7MB'", outlivesRollback: false },
  { reason: 'set', make: "SELECT set_config('my.secret', 'x', false)", outlivesRollback: false },
  { reason: 'listen', make: 'LISTEN news', outlivesRollback: false },
  { reason: 'prepare', make: 'PREPARE mine AS SELECT 1', outlivesRollback: true },
  { reason: 'temp', make: 'CREATE TEMP TABLE mine ()', outlivesRollback: false },
  { reason: 'hold', make: 'DECLARE mine CURSOR WITH HOLD FOR SELECT 1', outlivesRollback: false },
  { reason: 'advisoryLock', make: 'SELECT pg_advisory_lock(1)', outlivesRollback: true },
]

/** How a transaction goes on behind what it made. */
const ENDINGS = [
  { name: 'commits', before: [], after: ['COMMIT'], isUndone: false },
  { name: 'rolls back', before: [], after: ['ROLLBACK'], isUndone: true },
  { name: 'fails', before: [], after: ['SELECT 1/0', 'COMMIT'], isUndone: true },
  {
    name: 'rolls back to a savepoint',
    before: ['SAVEPOINT s'],
    after: ['ROLLBACK TO SAVEPOINT s', 'COMMIT'],
    isUndone: true,
  },
  {
    name: 'releases a savepoint',
    before: ['SAVEPOINT s'],
    after: ['RELEASE SAVEPOINT s', 'COMMIT'],
    isUndone: false,
  },
]

onBoth(t, async (t, server) => {
  const house = await open(t, server)
  for (const { strategy, first: tenant } of PAIRS) {
    for (const ending of ENDINGS) {
      await t.test(`${strategy}: a transaction that ${ending.name}`, async (t) => {
        for (const made of MADE) {
          const texts = ['BEGIN', ...ending.before, made.make, ...ending.after]
          const reason = ending.isUndone && !made.outlivesRollback ? undefined : made.reason
          await pinsOrNot(t, house, { tenant, texts, reason })
        }
      })
    }
  }
})
