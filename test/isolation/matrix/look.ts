import { query, type RawFrame, rows, sqlStates } from '../../support/raw-client.ts'
import type { Guest } from './guest.ts'
import { TENANT_SETTING } from './pair.ts'

/** What a session found on its server connection. */
export interface Sight {
  readonly pid: string
  /** Whom it acts for and what lies about, a line each: the kind, a bar, what it is. */
  readonly lines: readonly string[]
}

/** Of which Postgres tells clients unasked, from some version on. */
const REPORTED = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'IntervalStyle',
  'is_superuser',
  'search_path',
  'session_authorization',
  'standard_conforming_strings',
  'TimeZone',
]

/** What a statement says that has to fail where nothing was left. */
const NO_VALUE_YET = '55000'
const NO_SUCH_DESCRIPTOR = '42704'

/** Whom row policies take a session for, as they read it where the database is not sealed. */
export const PLAIN_IDENTITY = `current_setting('${TENANT_SETTING}', true)`

/**
 * What a look asks besides whose rows there are. A function keeps its plans, which take longer to
 * make than to run; a plan would not see a table that shadows another one, so it looks for none.
 *
 * @param identity - An expression for whom row policies take the session for.
 */
export const lookFunction = (identity: string) => `
  CREATE FUNCTION shared.look() RETURNS TABLE (kind text, what text) LANGUAGE plpgsql AS $look$
  BEGIN
    RETURN QUERY SELECT 'path', current_setting('search_path')
    UNION ALL SELECT 'identity', ${identity}
    UNION ALL SELECT 'user', current_user || ' ' || session_user
    UNION ALL SELECT 'database', current_database()::text
    UNION ALL SELECT 'reported', name || '=' || current_setting(name)
      FROM unnest(ARRAY['${REPORTED.join("','")}']) name
    UNION ALL SELECT 'setting', name || '=' || setting FROM pg_catalog.pg_settings
      WHERE setting IS DISTINCT FROM reset_val AND name <> 'search_path'
        AND name NOT LIKE 'transaction\\_%'
    UNION ALL SELECT 'setting', 'my.leftover=' || current_setting('my.leftover', true)
      WHERE current_setting('my.leftover', true) <> ''
    UNION ALL SELECT 'prepared', name FROM pg_catalog.pg_prepared_statements
    UNION ALL SELECT 'cursor', name FROM pg_catalog.pg_cursors WHERE is_holdable
    UNION ALL SELECT 'channel', pg_catalog.pg_listening_channels()
    UNION ALL SELECT 'lock', mode FROM pg_catalog.pg_locks
      WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()
    UNION ALL SELECT 'temporary', classid::regclass || ' ' || objid FROM pg_catalog.pg_depend
      WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
        AND refobjid = pg_catalog.pg_my_temp_schema();
  END $look$`

const LOOK = `
  SELECT 'pid' AS kind, pg_catalog.pg_backend_pid()::text AS what
  UNION ALL SELECT 'tenant', (SELECT string_agg(owner, ',') FROM items)
  UNION ALL SELECT kind, what FROM shared.look()`

/** Each has to fail: the first would tell a value, the second would read. */
const LAST_VALUE = 'SELECT pg_catalog.lastval()'
const DESCRIPTOR = 'SELECT pg_catalog.loread(0, 1)'

const GLANCE = query(`${LOOK}; ${LAST_VALUE}`)
const DESCRIPTOR_TRIAL = [query(`BEGIN; ${DESCRIPTOR}`), query('ROLLBACK')]

export async function look(guest: Guest): Promise<Sight> {
  const frames = await guest.run([GLANCE, ...DESCRIPTOR_TRIAL])
  return readSight(guest, frames, [NO_VALUE_YET, NO_SUCH_DESCRIPTOR])
}

/** All that one request can tell. */
export async function glance(guest: Guest): Promise<Sight> {
  return readSight(guest, await guest.ask(GLANCE), [NO_VALUE_YET])
}

function readSight(guest: Guest, frames: readonly RawFrame[], expected: readonly string[]): Sight {
  const lines = rows(frames)
  const [pid = '', ...others] = lines
  const states = sqlStates(frames).join()
  const errors = states === expected.join() ? [] : [`errors|${states}`]
  return { pid: pid.replace('pid|', ''), lines: [...others, ...errors, ...untold(guest, lines)] }
}

/** What the client believes of its session, and is not so. */
function untold({ reported }: Guest, lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => {
    const [, name = '', value = ''] = /^reported\|(\w+)=(.*)$/.exec(line) ?? []
    const told = reported.get(name)
    return told === undefined || told === value ? [] : [`told|${name}=${told}`]
  })
}
