import { BOUND, type StateKind } from './state-kind.ts'
import { LARGE_OBJECT } from './town.ts'

/** Things that a session of Postgres holds besides its settings. */
export const OBJECTS: readonly StateKind[] = [
  { name: 'a temporary table', make: () => ['CREATE TEMP TABLE leftover (secret text)'] },
  {
    name: 'a temporary table that shadows',
    make: () => ["CREATE TEMP TABLE items AS SELECT 9 AS id, 'stolen'::text AS owner"],
  },
  {
    name: 'a temporary table by SELECT INTO, in DO',
    make: () => ["DO $$ BEGIN EXECUTE 'CREATE TE' || 'MP TABLE leftover ()'; END $$"],
  },
  {
    name: 'a temporary table ON COMMIT DROP',
    make: () => ['CREATE TEMP TABLE leftover (secret text) ON COMMIT DROP'],
  },
  {
    name: 'a temporary table that shadows, with pg_temp first in the path',
    make: () => [
      "CREATE TEMP TABLE items AS SELECT 9 AS id, 'stolen'::text AS owner",
      'SET search_path = pg_temp, pg_catalog',
    ],
  },
  {
    name: 'a temporary function and a temporary type',
    make: () => [
      'CREATE FUNCTION pg_temp.leftover() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
      "CREATE TYPE pg_temp.mood AS ENUM ('left')",
    ],
  },
  { name: 'a temporary view', make: () => ['CREATE TEMP VIEW leftover AS SELECT 1 AS one'] },
  { name: 'a statement that SQL prepared', make: () => ['PREPARE leftover AS SELECT 1'] },
  {
    name: 'a statement that the protocol prepared',
    make: () => [{ name: 'leftover', text: 'SELECT $1::text', values: ['x'] }],
    protocols: BOUND,
  },
  {
    name: 'the unnamed statement',
    make: () => [{ text: 'SELECT $1::text', values: ['x'] }],
    protocols: BOUND,
    isUnnamed: true,
  },
  {
    name: 'a cursor WITH HOLD',
    make: () => ['DECLARE leftover CURSOR WITH HOLD FOR SELECT generate_series(1, 3)'],
  },
  { name: 'an advisory lock', make: () => ['SELECT pg_advisory_lock(4711)'] },
  {
    name: 'a shared advisory lock, tried for in a condition',
    make: () => ['SELECT FROM (VALUES (1)) v WHERE pg_try_advisory_lock_shared(1, 2)'],
  },
  {
    name: 'an advisory lock in DO',
    make: () => ['DO $$ BEGIN PERFORM pg_advisory_lock(4711); END $$'],
  },
  {
    name: 'an advisory lock of the transaction',
    make: () => ['SELECT pg_advisory_xact_lock(4711)'],
  },
  { name: 'a channel', make: () => ['LISTEN leftover'] },
  { name: 'a channel in DO', make: () => ['DO $$ BEGIN LISTEN leftover; END $$'] },
  { name: 'a value of a sequence', make: () => ["SELECT nextval('shared.numbers')"] },
  {
    name: 'a value of a temporary sequence',
    make: () => ['CREATE TEMP SEQUENCE leftover', "SELECT nextval('pg_temp.leftover')"],
  },
  {
    name: 'a descriptor of a large object',
    make: () => [`SELECT lo_open(${LARGE_OBJECT}, 262144)`],
  },
  { name: 'a random seed', make: () => ['SELECT setseed(0.5)'], isIndelible: true },
]
