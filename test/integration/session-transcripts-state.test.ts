import { sql } from '../support/postgres.ts'
import { bind, execute, parse, query, sync } from '../support/raw-client.ts'
import { type Program, perform, type Stage } from './transcript-fixture.ts'

const STARTUP = {
  application_name: 'the first name',
  TimeZone: 'Asia/Kathmandu',
  DateStyle: 'German, DMY',
  options: '-c work_mem=7MB --statement-timeout=54321 -c my.own=a\\ b',
}
const NAMES = [
  'application_name',
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'client_encoding',
  'work_mem',
  'statement_timeout',
  'my.own',
  'search_path',
  'role',
  'session_authorization',
]
const SHOW = `SELECT ${NAMES.map((name) => `current_setting('${name}', true)`).join(', ')}, current_user`
const SOURCES = `SELECT name, setting, reset_val, source FROM pg_settings WHERE source IN ('client', 'session') AND name <> 'session_authorization' ORDER BY name`

const SETTINGS: Program = {
  'SET and what is reported': {
    parameters: STARTUP,
    script: (talk) =>
      talk.run(
        SHOW,
        "SET TimeZone TO 'America/Lima'",
        "SET application_name TO 'another'; SET DateStyle TO ISO; SELECT now() IS NULL",
        "SELECT set_config('IntervalStyle', 'iso_8601', false)",
        'SET client_encoding TO LATIN1',
        "SELECT 'caf\xe9'",
        SHOW,
        'SET TimeZone TO nowhere',
        'SET no_such_setting TO 1',
        'RESET TimeZone',
        SHOW,
        'RESET ALL',
        SHOW,
        SOURCES,
      ),
  },
  'settings in transactions': {
    parameters: STARTUP,
    script: (talk) =>
      talk.run(
        'BEGIN',
        "SET TimeZone TO 'America/Lima'",
        'SAVEPOINT a',
        'SET LOCAL application_name TO local; SET DateStyle TO SQL',
        'ROLLBACK TO a',
        "SET LOCAL IntervalStyle TO 'sql_standard'",
        'ROLLBACK',
        SHOW,
        'BEGIN; SET LOCAL TimeZone TO UTC; COMMIT',
        "BEGIN; SET TimeZone TO 'Asia/Tokyo'; SELECT 1/0",
        'ROLLBACK',
        "BEGIN; SET my.own TO 'x'; RESET my.own; COMMIT",
        SHOW,
      ),
  },
  'RESET and DISCARD': {
    parameters: STARTUP,
    script: async (talk) => {
      await talk.run('SET work_mem TO 65536; SET my.own TO c; SET search_path TO pg_catalog', SHOW)
      await talk.run('RESET work_mem; RESET my.own; RESET search_path', SHOW)
      await talk.run(
        "SET TimeZone TO UTC; SET application_name TO ''",
        'DISCARD ALL',
        SHOW,
        SOURCES,
      )
      await talk.run('PREPARE p AS SELECT 1', 'CREATE TEMP TABLE t (id int)', 'LISTEN channel')
      await talk.run('BEGIN', 'DISCARD ALL', 'ROLLBACK', 'DISCARD PLANS', 'DISCARD TEMP')
      await talk.ask(parse('named', 'SELECT 1'), sync)
      await talk.ask(parse('', 'DISCARD ALL'), bind('', ''), execute(), sync)
      await talk.ask(bind('', 'named'), execute(), sync)
      await talk.run('EXECUTE p', 'SELECT * FROM t', 'SELECT pg_listening_channels()', SHOW)
      await talk.run('RESET SESSION AUTHORIZATION', 'RESET ROLE', SHOW)
    },
  },
  'a pipeline that changes settings': {
    parameters: STARTUP,
    script: async (talk) => {
      const run = (text: string) => [parse('', text), bind('', ''), execute()]
      await talk.ask(
        ...run('SET TimeZone TO UTC'),
        ...run('SHOW TimeZone'),
        ...run('RESET TimeZone'),
        ...run('SHOW TimeZone'),
        sync,
      )
      await talk.send(query("SET TimeZone TO 'Asia/Tokyo'"), ...run('SELECT 1/0'), sync)
      await talk.upTo('Z')
      await talk.upTo('Z')
      await talk.run(SHOW)
    },
  },
}

const OTHERS: Program = {
  'its process': { script: (talk) => talk.notePid() },
  'temporary things': {
    script: (talk) =>
      talk.run(
        'CREATE TEMP TABLE t (id serial, name text)',
        "INSERT INTO t (name) VALUES ('a'), ('b') RETURNING id + 0",
        "SELECT currval('t_id_seq'), lastval()",
        'SELECT upper(name) FROM t',
        'CREATE TEMP TABLE t ()',
        'SELECT pg_advisory_lock(7), pg_try_advisory_lock(8)',
        'SELECT pg_advisory_unlock(7), pg_advisory_unlock(7)',
        'SELECT count(*) FROM pg_locks WHERE locktype = $$advisory$$ AND pid = pg_backend_pid()',
        'DECLARE held CURSOR WITH HOLD FOR SELECT id + 0 FROM t ORDER BY id',
        'FETCH held',
        'BEGIN; FETCH held; ROLLBACK',
        'CLOSE ALL',
        'SELECT setseed(0.5)',
        'SELECT random()',
      ),
  },
}

/** Refused where tenants share a server. */
function otherRoles({ user }: Stage['place']): readonly string[] {
  return [
    'SET ROLE pg_read_all_stats',
    'SET ROLE nobody_at_all',
    `SET ROLE ${user}`,
    SHOW,
    'SET SESSION AUTHORIZATION postgres',
    `SET SESSION AUTHORIZATION ${user}`,
  ]
}

function program({ server, place }: Stage): Program {
  return {
    ...SETTINGS,
    ...OTHERS,
    roles: {
      parameters: STARTUP,
      script: (talk) =>
        talk.run(
          ...(place.tenant === 'acme' ? otherRoles(place) : []),
          'RESET ROLE',
          'SET ROLE NONE',
          'SET SESSION AUTHORIZATION DEFAULT',
          SHOW,
        ),
    },
    'LISTEN and NOTIFY': {
      script: async (talk) => {
        await talk.run('LISTEN news', "NOTIFY news, 'own'", 'LISTEN "Other"')
        await sql(
          server,
          place.database,
          `NOTIFY news, 'while idle'; NOTIFY "Other"; NOTIFY unheard`,
        )
        await talk.upTo('A')
        await talk.upTo('A')
        await talk.run('BEGIN', "NOTIFY news, 'in a transaction'")
        await sql(server, place.database, `NOTIFY news, 'meanwhile'`)
        await talk.run('SELECT 1', 'ROLLBACK')
        await talk.run('UNLISTEN news', "NOTIFY news, 'unheard'", 'UNLISTEN *')
      },
    },
  }
}

await perform(program)
