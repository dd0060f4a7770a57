import fc from 'fast-check'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import type {
  SqlDialect,
  StateKind,
  StatementEffects,
} from '../../src/sql/scan/statement-effects.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

const MAJORS = [15, 18] as const

const KINDS = [
  'set',
  'listen',
  'prepare',
  'temp',
  'hold',
  'advisoryLock',
] as const satisfies StateKind[]
/** What a session holds: by kind, a line for each thing. */
type State = Readonly<Record<(typeof KINDS)[number], readonly string[]>>

const STATE_QUERY = `select
  array(select name || '=' || setting || '@' || source from pg_catalog.pg_settings
    where name not in ('in_hot_standby', 'is_superuser') and name not like 'transaction%') ||
  array(select name || '=' || coalesce(pg_catalog.current_setting(name, true), '')
    from unnest(array['app.x', 'app.y', 'pre.x', 'session.x', 'local.x']) as name) ||
  array['role=' || current_setting('role'),
    'session_authorization=' || session_user] as "set",
  array(select * from pg_catalog.pg_listening_channels())::text[] as "listen",
  array(select name from pg_catalog.pg_prepared_statements where from_sql)::text[] as "prepare",
  array(select oid::text from pg_catalog.pg_class
    where relnamespace = pg_catalog.pg_my_temp_schema() and relkind in ('r', 'v', 'S')) ||
  array(select oid::text from pg_catalog.pg_proc
    where pronamespace = pg_catalog.pg_my_temp_schema()) as "temp",
  array(select name from pg_catalog.pg_cursors where is_holdable) as "hold",
  array(select (classid, objid, objsubid, mode)::text from pg_catalog.pg_locks
    where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid()) as "advisoryLock"`

const BEFORE = `
  set work_mem = '1MB'; set pre.x = '1'; listen pre; select pg_advisory_lock(1000, 1);
  prepare pre as select 1; prepare "Pre" as select 2; create temp table pre_temp ();
  declare pre cursor with hold for select 1`

const DATABASE = `
  drop schema public cascade; create schema public;
  create table public.t (a int, b text); insert into public.t values (1, 'x');
  create procedure public.p() language sql begin atomic select 1; end;
  create procedure public.locks() language sql as 'select pg_advisory_lock(77)'`

const TEXTS: readonly string[] = [
  "set work_mem = '2MB'",
  'set session app.x to 1',
  'set local app.x to 1',
  'begin; set app.x = 1; rollback',
  'begin; set local app.x = 1; set app.y = 2; commit',
  "set time zone 'Asia/Tokyo'",
  'set time zone local',
  "set names 'latin1'",
  'set names',
  "set schema 'public'",
  'set role pg_monitor',
  'set session role pg_monitor',
  'set session authorization guest',
  'set session session authorization guest',
  'set local session authorization guest',
  'set session characteristics as transaction read only, isolation level serializable',
  'set xml option document',
  'set sort_mem = 4096',
  'set work_mem from current',
  'set "App"."Y" = 3',
  'set session.x = 1',
  'set local.x = 1',
  'set transaction read only',
  'set constraints all deferred',
  'set search_path = pg_temp; create table made ()',
  "set local search_path = 'pg_temp'; create table made ()",
  "begin; set local search_path = E'\\160g_temp'; create table made (); commit",
  "select set_config('search_path', 'pg_temp', true); create table made ()",
  "select set_config('app.x', '1', false)",
  "select set_config('app.x', '1', true)",
  "select set_config('app.x', '1', 'tr')",
  "select set_config('app.x', '1', ' On '::bool)",
  "select set_config('app.x', '1', 'off')",
  "select set_config('app.x', '1', not true)",
  "select set_config(setting_name => 'app.x', new_value => '1', is_local => false)",
  'select pg_catalog."set_config"($$app.x$$, $a$1$a$, false)',
  "select SET_CONFIG/**/(E'app\\056x', '1', false)",
  "select set_config(U&'app\\002ex', '1', false)",
  "select set_config('app'\n'.x', '1', false)",
  "select set_config('app.x', set_config('app.y', '1', false), true)",
  "select set_config('app.x', set_config('app.y', '1', true), false)",
  "select set_config('app.x', b, false), set_config('app.y', b, true) from t",
  "select U&\"\\0073et_config\"('app.x', '1', false)",
  "select U&\"!0073et_config\" uescape '!' ('app.x', '1', false)",
  "select U&\"!0073et_config\" /**/ uescape E'\\041' ('app.x', '1', false)",
  "explain analyze select set_config('app.x', '1', false)",
  "copy (select set_config('app.x', '1', false)) to '/dev/null'",
  "insert into t (b) values (set_config('app.x', '1', false))",
  "create table made as select set_config('app.x', '1', false)",
  "declare c cursor for select set_config('app.x', '1', false); fetch c",
  "update pg_settings set setting = '3MB' where name = 'work_mem'",
  "with u as (select 1) update pg_catalog.pg_settings set setting = '3MB' where name = 'work_mem'",
  "select query_to_xml('select set_config(''app.x'', ''1'', false)', true, true, '')",
  "select ts_rewrite('a'::tsquery, 'select to_tsquery(set_config(''app.x'', ''1'', false)), ''b''::tsquery')",
  'reset work_mem',
  'reset all',
  'reset pre.x',
  'reset role',
  'reset time zone',
  'reset session authorization',
  'set work_mem to default',
  'listen c',
  'listen "C"; unlisten c',
  'unlisten pre',
  'unlisten *',
  'prepare q as select 1',
  'prepare transaction as select 1',
  "prepare q as select set_config('app.x', '1', false); execute q",
  'deallocate pre',
  'deallocate prepare PRE',
  'deallocate "Pre"',
  'deallocate U&"\\0050re"',
  'deallocate all',
  'discard all',
  'discard temp',
  'discard plans',
  'create temp table made ()',
  'create local temporary view made as select 1',
  'create or replace temp view made as select 1',
  'create global temp sequence made',
  'create temp recursive view made (a) as select 1',
  'select 1 as a into temp made',
  'select 1 as a into local temporary table made',
  'select $$x$$ as a into temp made',
  'create table pg_temp.made ()',
  'create table "pg_temp".made ()',
  'create table U&"pg\\005ftemp".made ()',
  'create function pg_temp.f() returns int language sql as $$ select 1 $$',
  'create temp table made as execute pre',
  'explain analyze create temp table made as execute pre',
  'drop table pre_temp',
  'drop table pg_temp.pre_temp',
  'declare c cursor with hold for select 1',
  'declare c scroll cursor with /**/ hold for select 1; close c',
  'close pre',
  'close all',
  'select pg_advisory_lock(1)',
  'select pg_advisory_lock_shared(1)',
  'select pg_try_advisory_lock(1, 2) from t',
  'select pg_catalog."pg_try_advisory_lock_shared"(1)',
  'select pg_advisory_xact_lock(1)',
  'select pg_advisory_unlock(1000, 1)',
  'select pg_advisory_unlock_all()',
  'do $$ begin perform pg_advisory_lock(1); end $$',
  'do language plpgsql $$ begin set app.x = 1; create temp table made (); end $$',
  'call locks()',
  'create function f() returns int language sql begin atomic select 1; select case when true then 2 end; end; listen c',
  'create rule r as on insert to t do also (select 1; select pg_advisory_lock(5)); insert into t values (2)',
  'create function f() returns int language sql as $$ select 1; $$; listen c',
]

function scan(sql: string, dialect: Partial<SqlDialect> = {}): StatementEffects | undefined {
  const bytes = Buffer.from(sql)
  const all = { backslashEscapes: false, hasUnsafeBytes: false, ...dialect }
  return scanStatements({ bytes, start: 0, end: bytes.length }, all)
}

async function connect(server: PostgresServer): Promise<Client> {
  const client = new Client({ connectionString: server.url('postgres') })
  await client.connect()
  return client
}

async function stateOf(client: Client): Promise<State> {
  const result = await client.query(STATE_QUERY)
  return result.rows[0]
}

/** What one has and the other has not. */
function lacks(some: readonly string[], other: readonly string[]): readonly string[] {
  const known = new Set(other)
  return some.filter((line) => !known.has(line))
}

/** Changes that the scan of a text said nothing of. */
function missed(effects: StatementEffects | undefined, before: State, after: State): string[] {
  if (effects?.makes.has('code')) return []
  const changes: string[] = []
  for (const kind of KINDS) {
    const made = lacks(after[kind], before[kind])
    const undone = lacks(before[kind], after[kind])
    const isTold = kind === 'set' ? effects?.undoes.has(kind) : false
    if (made.length > 0 && !isTold && !effects?.makes.has(kind)) changes.push(...made)
    const isSet = kind === 'set' && effects?.makes.has(kind)
    if (undone.length > 0 && !isSet && !effects?.undoes.has(kind)) changes.push(...undone)
  }
  return [...changes, ...missedNames(effects, before, after)]
}

function missedNames(effects: StatementEffects | undefined, before: State, after: State): string[] {
  const names: string[] = []
  if (!effects?.mayTouchAnySetting && effects?.resets !== 'all') {
    const changed = lacks(after.set, before.set).map((line) => line.split('=')[0] ?? '')
    names.push(
      ...lacks(
        changed.map((name) => name.toLowerCase()),
        effects?.settings ?? [],
      ),
    )
  }
  if (effects?.deallocates !== 'all') {
    names.push(...lacks(lacks(before.prepare, after.prepare), effects?.deallocates ?? []))
  }
  return names
}

/** Runs a text in a session that holds some state. Returns the state from before and after. */
async function run(server: PostgresServer, sql: string): Promise<readonly [State, State]> {
  const client = await connect(server)
  try {
    await client.query(DATABASE)
    await client.query(BEFORE)
    const before = await stateOf(client)
    await client.query(sql).catch(() => client.query('rollback'))
    return [before, await stateOf(client)]
  } finally {
    await client.end()
  }
}

/** Pieces that mean something else depending on what stands before them. */
const PIECES = [
  "'",
  "'",
  "''",
  '\\',
  "\\'",
  "E'",
  "e'a\\'",
  "N'",
  "U&'",
  "B'",
  "' '",
  "'\n'",
  "' -- '\n '",
  "' /* */ '",
  '"',
  'a"',
  '$$',
  '$$',
  'x$$',
  '$a$',
  '$é$',
  '$1$',
  '/*',
  '*/',
  '/*/',
  '--',
  '\n',
  '\r',
  '+',
  '1',
  ' as "',
  ', ',
  ';select ',
]
const END = '; listen found; select 1'
/** What may close a literal or comment that is open at the end. */
const CLOSERS = ['', '', '--', " --'", "'", ' as "x"', ' /*$$*/', '$$', ' --*/']

/** Whether a text listens; `undefined` when the server refuses it. */
async function listens(client: Client, sql: string): Promise<boolean | undefined> {
  try {
    await client.query(sql)
  } catch {
    return undefined
  }
  const result = await client.query('select pg_listening_channels()')
  await client.query('unlisten *')
  return result.rows.length > 0
}

async function checkEach(t: Test, server: PostgresServer): Promise<void> {
  let changed = 0
  for (const sql of TEXTS) changed += Number(await checkText(t, server, sql))
  t.ok(changed > TEXTS.length * 0.75, `${changed} of ${TEXTS.length} texts changed something`)
}

async function checkSeveral(t: Test, server: PostgresServer): Promise<void> {
  const texts = fc.array(fc.constantFrom(...TEXTS), { minLength: 2, maxLength: 4 })
  const glue = fc.constantFrom(';', ' ; ', ';/**/', '; -- ;\n', ";select ';';", ';;\n')
  let changed = 0
  const check = fc.asyncProperty(texts, glue, async (texts, glue) => {
    changed += Number(await checkText(t, server, texts.join(glue)))
  })
  await fc.assert(check, { numRuns: 60 })
  t.ok(changed > 15, `${changed} texts changed something`)
}

/** Returns whether the text changed something. */
async function checkText(t: Test, server: PostgresServer, sql: string): Promise<boolean> {
  const [before, after] = await run(server, sql)
  t.strictSame(missed(scan(sql), before, after), [], JSON.stringify(sql))
  return JSON.stringify(before) !== JSON.stringify(after)
}

async function checkLiterals(t: Test, client: Client, backslashEscapes: boolean): Promise<void> {
  let found = 0
  const pieces = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 7 })
  const check = fc.asyncProperty(pieces, fc.constantFrom(...CLOSERS), async (parts, closer) => {
    const sql = `select ${parts.join('')}${END}${closer}`
    const isListening = await listens(client, sql)
    if (isListening === undefined) return
    if (isListening) found += 1
    const isTold = scan(sql, { backslashEscapes })?.makes.has('listen') ?? false
    t.equal(isTold, isListening, JSON.stringify(sql))
  })
  await fc.assert(check, { numRuns: 3000 })
  t.ok(found > 80, `${found} texts did it`)
}

for (const major of MAJORS) {
  t.test(`Postgres ${major}`, async (t) => {
    const server = await startPostgres({ major, settings: { max_prepared_transactions: '2' } })
    t.teardown(() => server.stop())
    const owner = await connect(server)
    await owner.query('create role guest')
    await owner.end()
    t.test('every change of a session is told', (t) => checkEach(t, server))
    t.test('also of several texts in one', (t) => checkSeveral(t, server))
    for (const conforming of ['on', 'off']) {
      t.test(`literals end where they do, standard_conforming_strings ${conforming}`, async (t) => {
        const client = await connect(server)
        await client.query(`set standard_conforming_strings = ${conforming}`)
        await checkLiterals(t, client, conforming === 'off')
        await client.end()
      })
    }
  })
}
