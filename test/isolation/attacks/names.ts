import { type Act, type Attack, bound, type Ground, READ, rawQuery } from './attack.ts'

const QUALIFIED = 'the tenants below `sealed` share a server login, which may use all their names'

/** The victim's rows by their qualified name. */
const READS: Readonly<Record<string, (ground: Ground) => readonly Act[]>> = {
  'a qualified name': (g) => [`SELECT note FROM ${g.theirItems}`],
  'a quoted qualified name': (g) => [`SELECT note FROM "${g.theirSchema}" . "items"`],
  'a qualified name with Unicode escapes': (g) => [
    `SELECT note FROM U&"${g.theirSchema.replace('_', '\\005f')}".items`,
  ],
  'a name with the database': (g) => [
    `SELECT note FROM ${g.login === 'pool' ? 'plain' : 'sealed'}.${g.theirItems}`,
  ],
  'a qualified name that is bound': (g) => [
    bound(`SELECT query_to_xml('SELECT * FROM ' || $1, true, true, '')`, g.theirItems),
  ],
  TABLE: (g) => [`TABLE ${g.theirItems}`],
  'COPY to the client': (g) => [`COPY ${g.theirItems} TO STDOUT`],
  'COPY of a query': (g) => [`COPY (TABLE ${g.theirItems}) TO STDOUT (FORMAT csv)`],
  'a view': (g) => [`CREATE TEMP VIEW x AS TABLE ${g.theirItems}`, 'SELECT * FROM x'],
  'a function with the rights of its maker': (g) => [
    `CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
       AS 'SELECT note FROM ${g.theirItems}'`,
    'SELECT pg_temp.f()',
  ],
  'an update that returns': (g) => [
    `BEGIN; UPDATE ${g.theirItems} SET note = note RETURNING note; ROLLBACK`,
  ],
  'a delete that returns': (g) => [`BEGIN; DELETE FROM ${g.theirItems} RETURNING note; ROLLBACK`],
  'an upsert that returns': (g) => [
    `BEGIN; INSERT INTO ${g.theirItems} AS old (id) VALUES (1)
       ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING old.note; ROLLBACK`,
  ],
  'CREATE TABLE AS': (g) => [`CREATE TEMP TABLE x AS SELECT * FROM ${g.theirItems}; TABLE x`],
  'an error that says the value': (g) => [`SELECT note::int FROM ${g.theirItems}`],
  'a notice': (g) => [
    `DO $$DECLARE r record; BEGIN FOR r IN SELECT note FROM ${g.theirItems} LOOP
       RAISE NOTICE '%', r.note; END LOOP; END$$`,
  ],
  query_to_xml: (g) => [`SELECT query_to_xml('TABLE ${g.theirItems}', true, true, '')`],
  table_to_xml: (g) => [`SELECT table_to_xml('${g.theirItems}', true, true, '')`],
  schema_to_xml: (g) => [`SELECT schema_to_xml('${g.theirSchema}', true, true, '')`],
  database_to_xml: () => [`SELECT database_to_xml(true, true, '')`],
  cursor_to_xml: (g) => [
    `BEGIN; DECLARE c CURSOR FOR TABLE ${g.theirItems};
     SELECT cursor_to_xml('c', 9, true, true, ''); COMMIT`,
  ],
  ts_stat: (g) => [
    `SELECT word FROM ts_stat('SELECT array_to_tsvector(ARRAY[note::text]) FROM ${g.theirItems}')`,
  ],
  'EXPLAIN ANALYZE of a cast that fails': (g) => [
    `EXPLAIN ANALYZE SELECT note::int FROM ${g.theirItems}`,
  ],
  'the name from the catalog': (g) => [
    `SELECT query_to_xml('TABLE ' || oid::regclass, true, true, '') FROM pg_class
     WHERE relname = 'items' AND relnamespace <> '${g.mine}'::regnamespace
       AND relnamespace <> 'public'::regnamespace`,
  ],
  pg_stats: (g) => [
    {
      victim: `INSERT INTO items SELECT n, '${g.secret}' FROM generate_series(2, 50) n;
        ANALYZE items; DELETE FROM items WHERE id > 1`,
    },
    `SELECT most_common_vals FROM pg_stats WHERE tablename = 'items'`,
  ],
  'the definition in information_schema': () => [
    `SELECT routine_definition FROM information_schema.routines WHERE routine_name = 'greeting'`,
  ],
  'rights of the same login': (g) => [
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${g.theirSchema} TO PUBLIC;
     SELECT note FROM ${g.theirItems}`,
  ],
}

export const READING_NAMES: readonly Attack[] = Object.entries(READS).map(([name, acts]) => ({
  name: `name: ${name}`,
  strategy: 'schema',
  aim: 'read',
  acts,
  stoppedBy: 'sealed',
  note: QUALIFIED,
  ...(name.startsWith('rights') ? { scars: true } : {}),
}))

/** The catalogs of a database are for everybody who may come in. */
const OPEN: Readonly<Record<string, string>> = {
  'texts of functions': `SELECT prosrc FROM pg_proc WHERE proname = 'greeting'`,
  'definitions of functions': `SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'greeting'`,
}

const TOLD = (g: Ground): Act => ({
  victim: `COMMENT ON TABLE items IS '${g.secret}'; ALTER TABLE items ALTER note SET DEFAULT '${g.secret}';
    ALTER TABLE items ADD CONSTRAINT c CHECK (note <> '${g.secret}x');
    CREATE VIEW told AS SELECT '${g.secret}' AS x`,
})

const TOLD_BY: Readonly<Record<string, string>> = {
  comments: 'SELECT description FROM pg_description WHERE objsubid = 0',
  defaults: 'SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef',
  conditions: 'SELECT pg_get_constraintdef(oid) FROM pg_constraint',
  views: `SELECT definition FROM pg_views WHERE viewname = 'told'`,
}

function open(name: string, acts: Attack['acts']): Attack {
  return {
    name: `catalog: ${name}`,
    strategy: 'schema',
    aim: 'read',
    acts,
    stoppedBy: 'nobody',
    note: 'what objects are called and made of stands in catalogs that everybody may read',
  }
}

export const OPEN_CATALOGS: readonly Attack[] = [
  ...Object.entries(OPEN).map(([name, text]) => open(name, () => [text])),
  ...Object.entries(TOLD_BY).map(
    ([name, text]): Attack => ({ ...open(name, (g) => [TOLD(g), text]), scars: true }),
  ),
]

/** Row security holds a query, whatever it is; the setting alone says whose rows it gives. */
const ROWS: Readonly<Record<string, (ground: Ground) => readonly Act[]>> = {
  'a condition': (g) => [`${READ} WHERE tenant_id = '${g.theirs}' OR true`],
  'a qualified name': () => ['TABLE public.items'],
  'row security off': () => [`SET row_security = off; ${READ}`],
  'a view': () => ['CREATE TEMP VIEW x AS TABLE items', 'TABLE x'],
  'a function of its own in the condition': () => [
    `CREATE FUNCTION pg_temp.f(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
       AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$`,
    `${READ} WHERE pg_temp.f(note)`,
  ],
  'a leakproof function': () => [
    `CREATE FUNCTION pg_temp.f(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF COST 0.0000001
       AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$`,
    `${READ} WHERE pg_temp.f(note)`,
  ],
  'a cast that fails': () => ['SELECT note::int FROM items'],
  COPY: () => ['COPY items TO STDOUT'],
  query_to_xml: () => [`SELECT query_to_xml('TABLE items', true, true, '')`],
  database_to_xml: () => [`SELECT database_to_xml(true, true, '')`],
  'a generic plan': () => ['SET plan_cache_mode = force_generic_plan', bound(READ)],
  pg_stats: () => ['ANALYZE items', 'SELECT * FROM pg_stats'],
  'row security off, by a DO block': () => [
    `DO $$DECLARE r record; BEGIN SET LOCAL row_security = off;
       FOR r IN SELECT note FROM items LOOP RAISE NOTICE '%', r.note; END LOOP; END$$`,
  ],
}

export const READING_ROWS: readonly Attack[] = Object.entries(ROWS).map(([name, acts]) => ({
  name: `rows: ${name}`,
  strategy: 'row',
  aim: 'read',
  acts,
  stoppedBy: 'convenience',
}))

/** A character whose second byte is a backslash hides where a text in E'' ends. */
function hiding(encoding: string, character: Buffer): Attack {
  return {
    name: `a backslash within a character of ${encoding}`,
    strategy: 'both',
    aim: 'read',
    acts: (g) => [
      `SET client_encoding = '${encoding}'`,
      rawQuery(
        Buffer.concat([
          Buffer.from(`SELECT E'`),
          character,
          Buffer.from(`'; SET ${g.setting} = '${g.theirs}' --'`),
        ]),
      ),
      READ,
    ],
    stoppedBy: 'guarded',
  }
}

const PADDING = ' '.repeat(70_000)

export const WIRE_TRICKS: readonly Attack[] = [
  hiding('SJIS', Buffer.of(0x95, 0x5c)),
  hiding('GBK', Buffer.of(0x81, 0x5c)),
  hiding('BIG5', Buffer.of(0xa5, 0x5c)),
  hiding('GB18030', Buffer.of(0x81, 0x5c)),
  tooLong('a text over 64 KiB, SET at its head', (g) => [
    `SET ${g.setting} = '${g.theirs}'; /*${PADDING}*/ ${READ}`,
  ]),
  tooLong('a text over 64 KiB, SET at its end', (g) => [
    `/*${PADDING}*/ SET ${g.setting} = '${g.theirs}'; ${READ}`,
  ]),
  trick('a text over 64 KiB by the extended protocol', (g) => [
    bound(`/*${PADDING}*/ SELECT set_config('${g.setting}', '${g.theirs}', false)`),
    bound(READ),
  ]),
  tooLong('a text over 64 KiB in a transaction', (g) => [
    'BEGIN',
    `/*${PADDING}*/ SET LOCAL ${g.setting} = '${g.theirs}'`,
    READ,
    'COMMIT',
  ]),
]

function tooLong(name: string, acts: Attack['acts']): Attack {
  const note = 'the guard reads no text over 64 KiB'
  return { ...trick(name, acts), stoppedBy: 'sealed', note }
}

function trick(name: string, acts: Attack['acts']): Attack {
  return { name, strategy: 'both', aim: 'read', acts, stoppedBy: 'guarded' }
}
