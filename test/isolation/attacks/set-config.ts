import { frame, int16, int32 } from '../../support/raw-client.ts'
import { type Attack, bound, type Ground, pipeline, READ } from './attack.ts'

/** OID of `set_config` in all versions. */
const SET_CONFIG_OID = 2078

/** set_config in all spellings: behind each, `items` are those of the victim. */
const CALLS: Readonly<Record<string, (ground: Ground) => string>> = {
  'a plain call': (g) => `SELECT ${call(g)}`,
  'a qualified name': (g) => `SELECT pg_catalog.${call(g)}`,
  'a quoted name': (g) => `SELECT "set_config"('${g.setting}', '${g.theirs}', false)`,
  'a quoted and qualified name': (g) =>
    `SELECT "pg_catalog" . "set_config" ('${g.setting}', '${g.theirs}', false)`,
  'a name with Unicode escapes': (g) =>
    `SELECT U&"set\\005fconfig"('${g.setting}', '${g.theirs}', false)`,
  'a name with its own escape': (g) =>
    `SELECT U&"set!005fconfig" UESCAPE '!' ('${g.setting}', '${g.theirs}', false)`,
  'mixed case': (g) => `sElEcT sEt_CoNfIg('${g.setting.toUpperCase()}', '${g.theirs}', false)`,
  'comments within the call': (g) =>
    `SELECT set_config/**/(--\n'${g.setting}'/*,*/,'${g.theirs}', false)`,
  'a setting that is put together': (g) =>
    `SELECT set_config('${g.setting.slice(0, 3)}' || '${g.setting.slice(3)}', '${g.theirs}', false)`,
  'a setting with escapes': (g) =>
    `SELECT set_config(E'${g.setting.replace('_', '\\x5f')}', '${g.theirs}', false)`,
  'a setting with Unicode escapes': (g) =>
    `SELECT set_config(U&'${g.setting.replace('_', '\\005f')}', '${g.theirs}', false)`,
  'a setting in dollar quotes': (g) =>
    `SELECT set_config($n$${g.setting}$n$, $v$${g.theirs}$v$, false)`,
  'a setting from a column': (g) =>
    `SELECT set_config(name, '${g.theirs}', false) FROM (VALUES ('${g.setting}')) AS s(name)`,
  'a call in FROM': (g) => `SELECT * FROM ${call(g)}`,
  'a call in ROWS FROM': (g) => `SELECT * FROM ROWS FROM (${call(g)})`,
  'a call in VALUES': (g) => `VALUES (${call(g)})`,
  'a call in WHERE': (g) => `SELECT 1 WHERE ${call(g)} <> ''`,
  'a call in ORDER BY': (g) => `SELECT 1 ORDER BY ${call(g)}`,
  'a call in LIMIT': (g) => `SELECT 1 LIMIT length(${call(g)})`,
  'a call in a CTE': (g) => `WITH x AS MATERIALIZED (SELECT ${call(g)}) SELECT * FROM x`,
  'a call within a call': (g) => `SELECT upper(coalesce(NULL, ${call(g)}))`,
  'a call in RETURNING': (g) =>
    `INSERT INTO items (id, note) VALUES (50, 'x') RETURNING ${call(g)}`,
  'a call in DELETE': (g) => `DELETE FROM items WHERE ${call(g)} = ''`,
  'a call in EXPLAIN ANALYZE': (g) => `EXPLAIN ANALYZE SELECT ${call(g)}`,
  'a call in COPY': (g) => `COPY (SELECT ${call(g)}) TO STDOUT`,
  'a call in CREATE TABLE AS': (g) => `CREATE TEMP TABLE x AS SELECT ${call(g)}`,
  'a call in SELECT INTO': (g) => `SELECT ${call(g)} INTO TEMP x`,
  'a call in a default': (g) =>
    `CREATE TEMP TABLE x (y text DEFAULT ${call(g)}); INSERT INTO x DEFAULT VALUES`,
  'a call in a view': (g) => `CREATE TEMP VIEW x AS SELECT ${call(g)}; SELECT * FROM x`,
  'a call in PREPARE': (g) => `PREPARE x AS SELECT ${call(g)}; EXECUTE x`,
  'a call whose parts EXECUTE tells': (g) =>
    `PREPARE x (text, text) AS SELECT set_config($1, $2, false);
     EXECUTE x ('${g.setting}', '${g.theirs}')`,
  'EXPLAIN ANALYZE EXECUTE': (g) => `PREPARE x AS SELECT ${call(g)}; EXPLAIN ANALYZE EXECUTE x`,
  'CREATE TABLE AS EXECUTE': (g) =>
    `PREPARE x AS SELECT ${call(g)}; CREATE TEMP TABLE y AS EXECUTE x`,
  'a call in a cursor': (g) => `BEGIN; DECLARE x CURSOR FOR SELECT ${call(g)}; FETCH x; COMMIT`,
}

function call(g: Ground): string {
  return `set_config('${g.setting}', '${g.theirs}', false)`
}

function local(g: Ground): string {
  return `set_config('${g.setting}', '${g.theirs}', true)`
}

/** FunctionCall with texts, which a server takes without any SQL. */
function functionCall(...values: readonly string[]): Buffer {
  const given = values.flatMap((value) => [int32(value.length), Buffer.from(value)])
  return frame('F', int32(SET_CONFIG_OID), int16(0), int16(values.length), ...given, int16(0))
}

const OTHERS: readonly Attack[] = [
  of('a local call', (g) => [`BEGIN; SELECT ${local(g)}; ${READ}; COMMIT`]),
  of('a local call in one text', (g) => [`SELECT ${local(g)}; ${READ}`]),
  of('values that are bound', (g) => [
    bound('SELECT set_config($1, $2, false)', g.setting, g.theirs),
    READ,
  ]),
  of('a setting that is bound', (g) => [
    bound(`SELECT set_config($1, '${g.theirs}', false)`, g.setting),
    READ,
  ]),
  of('a value that is bound', (g) => [
    bound(`SELECT set_config('${g.setting}', $1, false)`, g.theirs),
    READ,
  ]),
  of('a pipeline', (g) => [pipeline(`SELECT ${call(g)}`, READ)]),
  of('a pipeline with a transaction', (g) => [
    pipeline('BEGIN', `SELECT ${local(g)}`, READ, 'COMMIT'),
  ]),
  of('two requests without waiting', (g) => {
    const [first, second] = [bound(`SELECT ${call(g)}`), bound(READ)]
    return [{ bytes: Buffer.concat([first.bytes, second.bytes]), answers: 2 }]
  }),
  of('FunctionCall', (g) => [
    { bytes: functionCall(g.setting, g.theirs, 'false'), answers: 1 },
    READ,
  ]),
]

const VIEWS: readonly Attack[] = [
  {
    name: 'set_config: FunctionCall in a transaction',
    strategy: 'both',
    aim: 'read',
    acts: (g) => [
      'BEGIN',
      { bytes: functionCall(g.setting, g.theirs, 'true'), answers: 1 },
      READ,
      'COMMIT',
    ],
    stoppedBy: 'guarded',
  },
  {
    name: 'pg_settings, which is a view that writes',
    strategy: 'schema',
    aim: 'read',
    acts: (g) => [
      `UPDATE pg_settings SET setting = '${g.theirs}' WHERE name = '${g.setting}'`,
      READ,
    ],
    stoppedBy: 'guarded',
  },
  {
    name: 'pg_settings by its qualified and quoted name',
    strategy: 'schema',
    aim: 'read',
    acts: (g) => [
      `UPDATE "pg_catalog"."pg_settings" AS s SET setting = '${g.theirs}'
       WHERE s.name = '${g.setting}'`,
      READ,
    ],
    stoppedBy: 'guarded',
  },
]

function of(name: string, acts: Attack['acts']): Attack {
  return { name: `set_config: ${name}`, strategy: 'both', aim: 'read', acts, stoppedBy: 'guarded' }
}

export const SET_CONFIGS: readonly Attack[] = [
  ...Object.entries(CALLS).map(([name, text]) => of(name, (ground) => [text(ground), READ])),
  ...OTHERS,
  ...VIEWS,
]
