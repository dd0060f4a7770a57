import { type Attack, type Ground, READ } from './attack.ts'

const HIDDEN = 'no text of a statement shows what it does: the connection is destroyed behind it'

/** `set_config`, in no text: what a scan for the word does not find. */
function assembled(g: Ground, isLocal: boolean): string {
  return `'SELECT set_' || 'config(''${g.setting}'', ''${g.theirs}'', ${isLocal})'`
}

const READ_OUT = `FOR r IN EXECUTE 'SELECT note FROM items' LOOP RAISE NOTICE '%', r.note; END LOOP;`

function doBlock(body: string): string {
  return `DO $x$ DECLARE r record; BEGIN ${body} END $x$`
}

/** Attacks by code that Postgres runs and no text shows, on the tenant's own setting. */
const SETTINGS: Readonly<Record<string, (ground: Ground) => readonly string[]>> = {
  'a DO block that sets and reads': (g) => [doBlock(`EXECUTE ${assembled(g, false)}; ${READ_OUT}`)],
  'a DO block that sets for the transaction': (g) => [
    doBlock(`EXECUTE ${assembled(g, true)}; ${READ_OUT}`),
  ],
  'a DO block that sets, and a text that reads': (g) => [
    `${doBlock(`EXECUTE ${assembled(g, false)};`)}; ${READ}`,
  ],
  'a DO block with an assembled SET LOCAL': (g) => [
    doBlock(`EXECUTE 'SE' || 'T LOCAL ' || '${g.setting} = ''${g.theirs}'''; ${READ_OUT}`),
  ],
  'a DO block with characters by number': (g) => [
    doBlock(`EXECUTE 'S' || chr(69) || 'T ${g.setting} = ''${g.theirs}'''; ${READ_OUT}`),
  ],
  query_to_xml: (g) => [
    `BEGIN; SELECT query_to_xml(${assembled(g, true)}, true, true, ''); ${READ}; COMMIT`,
  ],
  query_to_xmlschema: (g) => [
    `BEGIN; SELECT query_to_xml_and_xmlschema(${assembled(g, true)}, true, true, ''); ${READ}; COMMIT`,
  ],
  ts_stat: (g) => [
    `BEGIN; SELECT * FROM ts_stat('SELECT to_tsvector(set_' || 'config(''${g.setting}'', ''${g.theirs}'', true))');
     ${READ}; COMMIT`,
  ],
  ts_rewrite: (g) => [
    `BEGIN; SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, (set_' ||
       'config(''${g.setting}'', ''${g.theirs}'', true) || ''x'')::tsquery');
     ${READ}; COMMIT`,
  ],
  cursor_to_xml: (g) => [
    `BEGIN; ${doBlock(`EXECUTE 'DECLARE c CURSOR FOR ' || ${assembled(g, true)};`)};
     SELECT cursor_to_xml('c', 9, true, true, ''); ${READ}; COMMIT`,
  ],
}

/** The same by things that have to be made first. */
const MADE: Readonly<Record<string, (ground: Ground) => readonly string[]>> = {
  'a function': (g) => [make(g, 'FUNCTION pg_temp.f() RETURNS void'), inOne('SELECT pg_temp.f()')],
  'a procedure': (g) => [make(g, 'PROCEDURE pg_temp.f()'), inOne('CALL pg_temp.f()')],
  'a function of its own schema': (g) => [
    make(g, `FUNCTION ${own(g)}.f() RETURNS void`),
    inOne(`SELECT ${own(g)}.f()`),
  ],
  'a trigger': (g) => [
    `CREATE TEMP TABLE x (y int)`,
    make(g, 'FUNCTION pg_temp.f() RETURNS trigger', 'RETURN NEW;'),
    'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION pg_temp.f()',
    inOne('INSERT INTO x VALUES (1)'),
  ],
  'a rule': (g) => [
    make(g, 'FUNCTION pg_temp.f() RETURNS int', 'RETURN 1;'),
    `CREATE TEMP TABLE x (y int);
     CREATE RULE r AS ON INSERT TO x DO ALSO SELECT pg_temp.f()`,
    inOne('INSERT INTO x VALUES (1)'),
  ],
  'a view': (g) => [
    make(g, 'FUNCTION pg_temp.f() RETURNS int', 'RETURN 1;'),
    'CREATE TEMP VIEW x AS SELECT pg_temp.f()',
    inOne('SELECT * FROM x'),
  ],
  'a domain': (g) => [
    make(g, 'FUNCTION pg_temp.f(int) RETURNS boolean', 'RETURN true;'),
    'CREATE DOMAIN pg_temp.d AS int CHECK (pg_temp.f(VALUE))',
    inOne('SELECT 1::pg_temp.d'),
  ],
  'a default': (g) => [
    make(g, 'FUNCTION pg_temp.f() RETURNS int', 'RETURN 1;'),
    'CREATE TEMP TABLE x (y int DEFAULT pg_temp.f())',
    inOne('INSERT INTO x DEFAULT VALUES'),
  ],
  'an operator': (g) => [
    make(g, 'FUNCTION pg_temp.f(int, int) RETURNS int', 'RETURN 1;'),
    'CREATE OPERATOR pg_temp.### (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_temp.f)',
    inOne('SELECT 1 OPERATOR(pg_temp.###) 1'),
  ],
  'an aggregate': (g) => [
    make(g, 'FUNCTION pg_temp.f(int, int) RETURNS int', 'RETURN 1;'),
    'CREATE AGGREGATE pg_temp.a (int) (SFUNC = pg_temp.f, STYPE = int)',
    inOne('SELECT pg_temp.a(1)'),
  ],
}

function make(g: Ground, head: string, result = ''): string {
  return `CREATE ${head} LANGUAGE plpgsql AS $x$BEGIN EXECUTE ${assembled(g, true)}; ${result} END$x$`
}

function inOne(sql: string): string {
  return `BEGIN; ${sql}; ${READ}; COMMIT`
}

function own({ strategy, mine }: Ground): string {
  return strategy === 'schema' ? mine : 'public'
}

/** What is in a body in clear: a scan may find it, if it looks into bodies. */
const IN_CLEAR: Readonly<Record<string, (ground: Ground) => readonly string[]>> = {
  'CREATE FUNCTION … SET': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql SET ${g.setting} = '${g.theirs}'
       AS $x$BEGIN RETURN (${READ}); END$x$`,
    'SELECT pg_temp.f()',
  ],
  'ALTER FUNCTION … SET': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql
       AS $x$BEGIN RETURN (${READ}); END$x$`,
    `ALTER FUNCTION pg_temp.f() SET ${g.setting} TO '${g.theirs}'`,
    'SELECT pg_temp.f()',
  ],
  'ALTER ROUTINE … SET with a quoted name': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql
       AS $x$BEGIN RETURN (${READ}); END$x$`,
    `ALTER ROUTINE pg_temp.f() SET ${g.setting.replace(/(\w+)$/, '"$1"')} TO '${g.theirs}'`,
    'SELECT pg_temp.f()',
  ],
  'CREATE FUNCTION … SECURITY DEFINER SET': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE plpgsql SECURITY DEFINER
       SET ${g.setting} = '${g.theirs}' AS $x$BEGIN RETURN (${READ}); END$x$`,
    'SELECT pg_temp.f()',
  ],
}

export const HIDDEN_SETTINGS: readonly Attack[] = [
  ...Object.entries({ ...SETTINGS, ...MADE }).map(
    ([name, acts]): Attack => ({
      name: `hidden: ${name}`,
      strategy: 'both',
      aim: 'read',
      acts,
      stoppedBy: 'sealed',
      note: HIDDEN,
      ...(name.includes('own schema') ? { scars: true } : {}),
    }),
  ),
  // Postgres lets nobody but superusers keep a setting like app.tenant_id with a function.
  ...(['schema', 'row'] as const).flatMap((strategy) =>
    Object.entries(IN_CLEAR).map(
      ([name, acts]): Attack => ({
        name,
        strategy,
        aim: 'read',
        acts,
        stoppedBy: strategy === 'row' ? 'convenience' : 'guarded',
      }),
    ),
  ),
]

/** State that a tenant leaves on its server connection: gone before the next one comes. */
const LEFT: Readonly<Record<string, (ground: Ground) => readonly string[]>> = {
  'its setting, by a DO block': (g) => [doBlock(`EXECUTE ${assembled(g, false)};`)],
  'its setting, emptied by a DO block': (g) => [doBlock(`EXECUTE 'RESET ${g.setting}';`)],
  'a setting of Postgres': () => [
    doBlock(`PERFORM set_config('DateStyle', 'German', false);`),
    `SET work_mem = '77MB'`,
  ],
  'a setting of its own': () => [`SET my.own = 'x'`],
  'a time limit': () => ['SET statement_timeout = 1'],
  'a read-only session': () => ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'],
  'an encoding': () => [`SET client_encoding = 'SJIS'`],
  'backslashes that escape': () => ['SET standard_conforming_strings = off'],
  'row security off': () => ['SET row_security = off'],
  'a temporary table that shadows': () => [
    `CREATE TEMP TABLE items AS SELECT 1 AS id, 'x'::varchar AS note`,
  ],
  'a temporary view that shadows': () => [
    `CREATE TEMP VIEW items AS SELECT 1 AS id, 'x'::varchar AS note`,
  ],
  'a temporary function and a path to it': () => [
    `CREATE FUNCTION pg_temp.upper(varchar) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
     SET search_path = pg_temp, pg_catalog`,
  ],
  'a temporary operator and a path to it': () => [
    `CREATE FUNCTION pg_temp.f(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false';
     CREATE OPERATOR pg_temp.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = pg_temp.f);
     SET search_path = pg_temp, pg_catalog`,
  ],
  'a prepared statement': () => ['PREPARE items AS SELECT 1'],
  'a cursor': () => ['BEGIN; DECLARE items CURSOR WITH HOLD FOR SELECT 1; COMMIT'],
  'an advisory lock': () => ['SELECT pg_advisory_lock(4711)'],
  'a channel': () => ['LISTEN items'],
  'a sequence value': () => ['CREATE TEMP SEQUENCE x', `SELECT nextval('x')`],
  'an open transaction': () => ['BEGIN', 'INSERT INTO items (id) VALUES (2)'],
  'a failed transaction': () => ['BEGIN', 'SELECT 1/0'],
  'a time limit of idle transactions': () => ['SET idle_in_transaction_session_timeout = 1'],
}

export const LEFT_BEHIND: readonly Attack[] = Object.entries(LEFT).map(([name, acts]) => ({
  name: `left behind: ${name}`,
  strategy: 'both',
  aim: 'move',
  acts,
  stoppedBy: 'convenience',
}))
