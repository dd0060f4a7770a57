import t from 'tap'
import { PAIRS } from '../support/saas.ts'
import { pinsOrNot } from './pin-check.ts'
import { logIn, onBoth, open, run } from './state-fixture.ts'

/** Leave nothing behind, whatever they look like. */
const HARMLESS = [
  "SET LOCAL work_mem = '7MB'",
  "SELECT set_config('my.secret', 'x', true)",
  'CREATE TEMP TABLE mine (secret text) ON COMMIT DROP',
  'DECLARE mine CURSOR FOR SELECT 1',
  'SELECT pg_advisory_xact_lock(1)',
  "SELECT 'LISTEN news; SET work_mem = 1', $$; PREPARE x AS SELECT 1; $$ -- ; CREATE TEMP TABLE x ()",
  '/* ; LISTEN news */ SELECT 1 AS "; LISTEN news"',
  "LISTEN news; UNLISTEN news; SET work_mem = '7MB'; RESET work_mem",
]

/** State of which the text says little or nothing. */
const HIDDEN = [
  { reason: 'listen', make: 'DO $$ BEGIN LISTEN news; END $$' },
  { reason: 'temp', make: "DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE mine ()'; END $$" },
  {
    reason: 'set',
    make: "DO $do$ BEGIN PERFORM set_config('wo' || 'rk_mem', '7MB', false); END $do$",
  },
  {
    reason: 'advisoryLock',
    make: 'DO LANGUAGE plpgsql $$ BEGIN PERFORM pg_advisory_lock(1); END $$',
  },
  { reason: 'listen', make: 'CALL listens()' },
  { reason: 'set', make: "SELECT set_config('work' || '_mem', '7MB', false)" },
  { reason: 'set', make: "UPDATE pg_settings SET setting = '7000' WHERE name = 'work_mem'" },
  {
    reason: 'advisoryLock',
    make: "SELECT query_to_xml('SELECT pg_advisory' || '_lock(1)', true, true, '')",
  },
  { reason: 'listen', make: `SELECT length('${'x'.repeat(70_000)}'); LISTEN news` },
  { reason: 'prepare', make: 'SELECT 1; /* ; */ SELECT 2; PREPARE mine AS SELECT 3; SELECT 4' },
  { reason: 'temp', make: 'BEGIN; CREATE /**/ TEMPORARY -- it is\n TABLE mine (); COMMIT' },
]

onBoth(t, async (t, server) => {
  const house = await open(t, server, { isolation: { level: 'convenience' } })
  for (const { strategy, first: tenant } of PAIRS) {
    const maker = await logIn(house, tenant)
    await run(maker, 'CREATE PROCEDURE listens() LANGUAGE plpgsql AS $$ BEGIN LISTEN news; END $$')
    await maker.end()
    await t.test(`${strategy}: state of a transaction does not pin`, async (t) => {
      for (const text of HARMLESS) {
        await pinsOrNot(t, house, { tenant, texts: ['BEGIN', text, 'COMMIT'], reason: undefined })
      }
      const failed = ['LISTEN news; SELECT 1/0']
      await pinsOrNot(t, house, { tenant, texts: failed, reason: undefined })
    })
    await t.test(`${strategy}: state that hides pins too`, async (t) => {
      for (const { reason, make } of HIDDEN) {
        await pinsOrNot(t, house, { tenant, texts: [make], reason })
      }
    })
  }
})
