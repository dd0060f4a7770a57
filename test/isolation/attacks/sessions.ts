import type { Act, Attack, Ground } from './attack.ts'

type Texts = Readonly<Record<string, (ground: Ground) => readonly Act[]>>
type Judged = Pick<Attack, 'aim' | 'stoppedBy' | 'strategy'>

const SHARED_LOGIN = 'sessions of one server login may look at and end each other'
const DATABASE_WIDE = 'Postgres keeps these for the whole database, not for a login'

const OTHERS = `SELECT pid FROM pg_stat_activity
  WHERE usename = current_user AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
/** So that the next thing runs on a new server connection. */
const END_OWN: Act = 'SELECT pg_terminate_backend(pg_backend_pid())'

/** Against sessions of the same server login: a schema of its own at `sealed` has its own login. */
const LOGIN: Texts = {
  'the statements of others': (g) => [
    { victim: `BEGIN; SELECT '${g.secret}'` },
    'SELECT query FROM pg_stat_activity',
    { victim: 'COMMIT' },
  ],
  'the statements of others by their function': (g) => [
    { victim: `BEGIN; SELECT '${g.secret}'` },
    'SELECT (pg_stat_get_activity(NULL)).query',
    { victim: 'COMMIT' },
  ],
  'large objects': (g) => [
    { victim: `SELECT lo_from_bytea(424242, '${g.secret}')` },
    `SELECT convert_from(lo_get(424242), 'UTF8')`,
  ],
}

const LOGIN_HARM: Texts = {
  'the sessions of others are ended': () => [
    { victim: 'BEGIN; SELECT 1' },
    `SELECT pg_terminate_backend(pid) FROM (${OTHERS}) AS others`,
    { victim: 'COMMIT' },
  ],
  'the statements of others are canceled': () => [
    'BEGIN; SELECT pg_advisory_xact_lock(99)',
    { victimBegins: 'SELECT pg_advisory_xact_lock(99)' },
    `DO $$BEGIN LOOP
       PERFORM pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory';
       EXIT WHEN FOUND;
       PERFORM pg_sleep(0.01);
     END LOOP; END$$`,
    'COMMIT',
  ],
  'large objects are changed': () => [
    { victim: `SELECT lo_from_bytea(424242, 'mine')` },
    'SELECT lo_unlink(424242)',
    { victim: 'SELECT lo_get(424242)' },
  ],
  'the password of the login, by a DO block': () => [
    `DO $$BEGIN EXECUTE format('ALTER ' || 'ROLE %I PASSWORD ''x''', session_user); END$$`,
    END_OWN,
  ],
  'a default that keeps from writing': () => [
    `DO $$BEGIN EXECUTE format('ALTER ' || 'ROLE %I SET default_transaction_read_only = on', session_user); END$$`,
    END_OWN,
  ],
  'a lock of a table': (g) => [`BEGIN; LOCK TABLE ${g.theirItems}`],
  'a time limit of the login': () => [
    `DO $$BEGIN EXECUTE format('ALTER ' || 'ROLE %I SET statement_timeout = 1', session_user); END$$`,
    END_OWN,
  ],
}

/** What a text says in clear is refused. */
const IN_CLEAR: Texts = {
  'the password of the login': (g) => [`ALTER ROLE ${g.login} PASSWORD 'x'`, END_OWN],
  'a default of the login': (g) => [`ALTER ROLE ${g.login} SET DateStyle = 'German'`, END_OWN],
  'a default of the login in this database': (g) => [
    `ALTER USER ${g.login} IN DATABASE ${g.login === 'pool' ? 'plain' : 'sealed'} SET work_mem = '77MB'`,
    END_OWN,
  ],
  'a default of CURRENT_USER': () => [`ALTER ROLE CURRENT_USER SET work_mem = '77MB'`, END_OWN],
  'a default of the database': (g) => [
    `ALTER DATABASE ${g.login === 'pool' ? 'plain' : 'sealed'} SET DateStyle = 'German'`,
    END_OWN,
  ],
}

/** Temporary schemas belong to Postgres itself. */
const IN_VAIN: Texts = {
  'the temporary tables of others are dropped': () => [
    { victim: 'CREATE TEMP TABLE basket AS SELECT 1 AS x' },
    `DO $$BEGIN EXECUTE (SELECT 'DROP TABLE ' || oid::regclass FROM pg_class
       WHERE relname = 'basket'); END$$`,
    { victim: 'TABLE basket' },
  ],
}

const NOBODY: Texts = {
  'what others notify': (g) => [
    'LISTEN orders',
    { victim: `NOTIFY orders, '${g.secret}'` },
    'SELECT 1',
  ],
}

const NOBODY_HARM: Texts = {
  'a notification that others believe': () => [
    { victim: 'LISTEN orders' },
    `NOTIFY orders, 'gotcha'`,
    { victim: 'SELECT 1' },
  ],
  'an advisory lock': () => ['SELECT pg_advisory_lock(4711)'],
  'an advisory lock of a transaction': () => ['BEGIN; SELECT pg_advisory_xact_lock(4711)'],
}

/** What no server login may that is not a superuser, nor more than it has to be. */
const SUPERUSER: Readonly<Record<string, string>> = {
  'a file of the server': `SELECT pg_read_file('postgresql.conf')`,
  'COPY from a program': `CREATE TEMP TABLE x (y text); COPY x FROM PROGRAM 'id'`,
  'COPY to a file': `COPY (SELECT 1) TO '/tmp/pgusher-attack'`,
  'a large object from a file': `SELECT lo_import('/etc/passwd')`,
  'a setting of the server': `ALTER SYSTEM SET work_mem = '77MB'`,
  'a default of all roles': `ALTER ROLE ALL SET DateStyle = 'German'`,
  'the role of a superuser': 'SET ROLE postgres',
  'the name of a superuser': 'SET SESSION AUTHORIZATION postgres',
  'a role of its own': 'CREATE ROLE mine SUPERUSER',
  'a right that it has not': 'GRANT pg_read_all_data TO CURRENT_USER',
  'rows of all tables': 'ALTER ROLE CURRENT_USER BYPASSRLS',
  'an event trigger': `CREATE FUNCTION pg_temp.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_temp.f()`,
  'a library': `LOAD '/tmp/x.so'`,
  'settings before a login': `SELECT set_config('session_preload_libraries', 'x', false)`,
  'secrets of roles': 'SELECT rolpassword FROM pg_authid',
  'statistics of all': 'SELECT * FROM pg_statistic',
  catalogs: `UPDATE pg_class SET relrowsecurity = false`,
}

function against(texts: Texts, judged: Judged, note: string): readonly Attack[] {
  return Object.entries(texts).map(([name, acts]) => ({
    name: `session: ${name}`,
    ...judged,
    acts,
    note,
    poolSize: 2,
    lingers: true,
    scars: true,
  }))
}

/** At `sealed`, rows still share a login. */
function byLogin(texts: Texts, aim: Attack['aim']): readonly Attack[] {
  return [
    ...against(texts, { strategy: 'schema', aim, stoppedBy: 'sealed' }, SHARED_LOGIN),
    ...against(texts, { strategy: 'row', aim, stoppedBy: 'nobody' }, SHARED_LOGIN),
  ]
}

export const SESSIONS: readonly Attack[] = [
  ...byLogin(LOGIN, 'read'),
  ...byLogin(LOGIN_HARM, 'lock out'),
  ...against(
    IN_VAIN,
    { strategy: 'both', aim: 'lock out', stoppedBy: 'convenience' },
    SHARED_LOGIN,
  ),
  ...against(NOBODY, { strategy: 'both', aim: 'read', stoppedBy: 'nobody' }, DATABASE_WIDE),
  ...against(
    NOBODY_HARM,
    { strategy: 'both', aim: 'lock out', stoppedBy: 'nobody' },
    DATABASE_WIDE,
  ),
  ...Object.entries(SUPERUSER).map(
    ([name, text]): Attack => ({
      name: `superuser: ${name}`,
      strategy: 'both',
      aim: 'read',
      acts: () => [text],
      stoppedBy: 'convenience',
    }),
  ),
]

/** Without a guard, a login may change its own password and defaults. */
export const SHARED_ROLES: readonly Attack[] = against(
  IN_CLEAR,
  { strategy: 'both', aim: 'lock out', stoppedBy: 'guarded' },
  SHARED_LOGIN,
)
