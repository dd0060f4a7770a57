import { BOUND, type StateKind } from './state-kind.ts'

/** Of the session, and harmless to everybody but who meets them unawares. */
const MADE: readonly StateKind[] = [
  { name: 'SET', make: () => ["SET work_mem = '7MB'"] },
  { name: 'SET SESSION of a setting of no module', make: () => ["SET SESSION my.leftover TO 'x'"] },
  { name: 'SET LOCAL', make: () => ["SET LOCAL work_mem = '7MB'"] },
  {
    name: 'set_config of a literal',
    make: () => ["SELECT set_config('work_mem', '7MB', false)"],
  },
  {
    name: 'set_config of a bound value',
    make: () => [{ text: "SELECT set_config('my.leftover', $1, false)", values: ['x'] }],
    protocols: BOUND,
  },
  {
    name: 'set_config of a bound name',
    make: () => [{ text: 'SELECT set_config($1, $2, false)', values: ['my.leftover', 'x'] }],
    protocols: BOUND,
    refusedFrom: 'guarded',
  },
  {
    name: 'SELECT set_config FROM',
    make: () => [
      "SELECT set_config(s.name, '7MB', false) FROM pg_settings s WHERE s.name = 'work_mem'",
    ],
    refusedFrom: 'guarded',
  },
  {
    name: 'UPDATE pg_settings',
    make: () => ["UPDATE pg_settings SET setting = '7000' WHERE name = 'work_mem'"],
    refusedFrom: 'guarded',
  },
  {
    name: 'set_config in DO',
    make: () => ["DO $$ BEGIN PERFORM set_config('my.leftover', 'x', false); END $$"],
  },
  {
    name: 'a setting by a function',
    make: () => ["SELECT shared.set_setting('work_mem', '7MB')"],
  },
  {
    name: 'a setting by a trigger',
    make: () => ["INSERT INTO shared.notes VALUES ('my.leftover', 'x')"],
  },
  {
    name: 'a setting in a function with settings of its own',
    make: () => [
      `CREATE OR REPLACE FUNCTION pg_temp.leave() RETURNS text LANGUAGE sql SET work_mem = '8MB'
         AS $$ SELECT set_config('maintenance_work_mem', '9MB', false) $$`,
      'SELECT pg_temp.leave()',
    ],
  },
]

/** Those that clients are told of, and those that could hinder whoever comes next. */
const TELLING: readonly StateKind[] = [
  {
    name: 'settings that clients are told of',
    make: () => [
      "SET TimeZone = 'Asia/Tokyo'",
      "SET DateStyle = 'German'",
      "SET IntervalStyle = 'iso_8601'",
      "SET application_name = 'leftover'",
      "SET client_encoding = 'SJIS'",
    ],
  },
  {
    name: 'settings that hinder',
    make: () => [
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
      "SET idle_in_transaction_session_timeout = '1h'",
      "SET lock_timeout = '9s'",
      "SET statement_timeout = '50s'",
    ],
  },
]

/** Postgres runs it in no transaction, and in no pipeline. */
const ALONE = { isAlone: true, protocols: ['simple', 'extended'] } as const

/** What takes settings back, to what the session began with. */
const RESETS: readonly StateKind[] = [
  { name: 'RESET ALL', make: () => ["SET work_mem = '7MB'", 'RESET ALL'] },
  {
    name: 'RESET ALL, and a setting behind it',
    make: () => ['RESET ALL', "SET work_mem = '7MB'"],
  },
  { name: 'DISCARD ALL', make: () => ["SET work_mem = '7MB'", 'DISCARD ALL'], ...ALONE },
  {
    name: 'DISCARD ALL, and a setting behind it',
    make: () => ['DISCARD ALL', "SET my.leftover = 'x'"],
    ...ALONE,
  },
]

const NOTHING = () => []

/** Settings of the startup packet: each a way to say `options`. */
const STARTUP: readonly StateKind[] = [
  { name: 'options with -c', startup: () => ({ options: '-c work_mem=7MB' }), make: NOTHING },
  { name: 'options with --x=y', startup: () => ({ options: '--work-mem=7MB' }), make: NOTHING },
  {
    name: 'options with backslashes',
    startup: () => ({ options: '-c my.leftover=x\\ \\\\\\ y -c application_name=a\\ b' }),
    make: NOTHING,
  },
  {
    name: 'options with a value that holds -c',
    startup: () => ({ options: '-c my.leftover=x\\ -c\\ work_mem=7MB' }),
    make: NOTHING,
  },
  {
    name: 'startup parameters',
    startup: () => ({ TimeZone: 'Asia/Tokyo', application_name: 'leftover', work_mem: '7MB' }),
    make: NOTHING,
  },
  {
    name: 'options, and RESET ALL behind them',
    startup: () => ({ options: '-c work_mem=7MB' }),
    make: () => ["SET work_mem = '8MB'", 'RESET ALL'],
  },
]

export const SETTINGS: readonly StateKind[] = [...MADE, ...TELLING, ...RESETS, ...STARTUP]
