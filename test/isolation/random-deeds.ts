import { bind, execute, frame, parse, query, type RawFrame, sync } from '../support/raw-client.ts'

/** A client that goes its way at random. Every frame that comes is looked at before it is returned. */
export interface Wanderer {
  /** What stands in all that belongs to its tenant. */
  readonly tag: string
  readonly tenant: string
  /** A whole number from 0, below `limit`. */
  random(limit: number): number
  /** Sends, and reads up to ReadyForQuery. */
  ask(...bytes: readonly Buffer[]): Promise<readonly RawFrame[]>
  /** Asks for what does not end by itself, and cancels it until it is answered. */
  cancel(sql: string): Promise<void>
  /** Sends, and is gone without a word before it is answered. It is there again behind it. */
  vanish(...bytes: readonly Buffer[]): Promise<void>
  /** Goes to another tenant of the town, in its session. */
  change(): Promise<void>
  /** What was asked must have found exactly the rows of its tenant. */
  expectOwnRows(frames: readonly RawFrame[]): void
}

type Deed = (client: Wanderer) => Promise<unknown>

const READ = 'SELECT owner FROM items'
/** All that a session can find of those that had its server connection before. */
const SEARCH = `
  SELECT current_setting('my.tag', true), current_setting('application_name');
  SELECT name, statement FROM pg_prepared_statements;
  SELECT name, statement FROM pg_cursors;
  SELECT pg_listening_channels();
  SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema();
  SELECT setting FROM pg_settings WHERE source = 'session'`
const TABLE_ROW = '7\tnobody\n'

function say(sql: (tag: string, client: Wanderer) => string): Deed {
  return (client) => client.ask(query(sql(client.tag, client)))
}

function run(sql: string): Buffer {
  return Buffer.concat([parse('', sql), bind('', ''), execute()])
}

/** What clients do, by name. The order is part of what a seed means. */
export const DEEDS: Readonly<Record<string, Deed>> = {
  async read(client) {
    client.expectOwnRows(await client.ask(query(READ)))
  },
  async 'read by the extended protocol'(client) {
    client.expectOwnRows(await client.ask(run(READ), sync))
  },
  write: say(
    (tag, { random }) => `INSERT INTO items (id, owner) VALUES (${2 + random(9)}, '${tag}')`,
  ),
  'write and take it back': say(
    (tag) => `BEGIN; INSERT INTO items (id, owner) VALUES (2, '${tag}'); ${READ}; ROLLBACK`,
  ),
  'delete what was written': say(() => 'DELETE FROM items WHERE id > 1 RETURNING owner'),
  notice: say((tag) => `DO $$BEGIN RAISE NOTICE '${tag}'; END$$`),
  error: say((tag) => `SELECT '${tag}'::int`),
  'error in a transaction': say((tag) => `BEGIN; SELECT '${tag}'::int`),
  'end of a transaction': say(() => 'ROLLBACK'),
  listen: say((_, { tenant }) => `LISTEN ${tenant}`),
  notify: say((tag, { tenant }) => `NOTIFY ${tenant}, '${tag}'`),
  'a setting of its own': say((tag) => `SET my.tag = '${tag}'`),
  'a setting that is reported': say((tag) => `SET application_name = '${tag}'`),
  'a setting that no text shows': say(
    (tag) => `DO $$BEGIN PERFORM set_config('my.' || 'tag', '${tag}', false); END$$`,
  ),
  'a statement by name': async (client) => {
    const sql = `SELECT owner FROM items WHERE owner <> 'not ${client.tag}'`
    await client.ask(parse('mine', sql), sync)
    client.expectOwnRows(await client.ask(bind('', 'mine'), execute(), sync))
  },
  'a statement of before': async (client) => {
    client.expectOwnRows(await client.ask(bind('', 'mine'), execute(), sync))
  },
  'a pipeline with an error in it': (client) =>
    client.ask(run(READ), run(`SELECT '${client.tag}'::int`), run(READ), sync),
  'a pipeline of transactions': (client) =>
    client.ask(
      run('BEGIN'),
      run(READ),
      run(`SELECT set_config('my.tag', '${client.tag}', true)`),
      run('COMMIT'),
      sync,
    ),
  'a copy out': (client) => client.ask(query('COPY (SELECT owner FROM items) TO STDOUT')),
  'a copy in': (client) =>
    client.ask(
      query('COPY items (id, owner) FROM STDIN'),
      frame('d', Buffer.from(TABLE_ROW.replace('nobody', client.tag))),
      frame('c'),
    ),
  'a temporary table': say((tag) => `CREATE TEMP TABLE mine AS SELECT '${tag}' AS tag`),
  'the temporary table of before': say(() => 'TABLE mine'),
  'a cursor': say(
    (tag) =>
      `BEGIN; DECLARE mine CURSOR WITH HOLD FOR SELECT '${tag}', owner FROM items; COMMIT; FETCH ALL mine`,
  ),
  'PREPARE and EXECUTE': say((tag) => `PREPARE sql_mine AS SELECT '${tag}'; EXECUTE sql_mine`),
  'EXECUTE of before': say(() => 'EXECUTE sql_mine'),
  search: say(() => SEARCH),
  'search by the extended protocol': (client) =>
    client.ask(
      run(`SELECT current_setting('my.tag', true), current_setting('application_name')`),
      sync,
    ),
  forget: say(() => 'DISCARD ALL'),
  'forget once more': say(() => 'ROLLBACK; DEALLOCATE ALL; UNLISTEN *; DISCARD TEMP; RESET ALL'),
  cancel: (client) => client.cancel(`SELECT pg_sleep(60), '${client.tag}'`),
  'cancel a pipeline': (client) =>
    client.cancel(`INSERT INTO items SELECT 3, '${client.tag}' FROM pg_sleep(60)`),
  'vanish at once': (client) => client.vanish(),
  'vanish in a query': (client) =>
    client.vanish(query(`SELECT '${client.tag}' FROM generate_series(1, 5000)`)),
  'vanish in a transaction': (client) =>
    client.vanish(
      query('BEGIN'),
      query(`INSERT INTO items (id, owner) VALUES (4, '${client.tag}')`),
    ),
  'vanish in a copy': (client) =>
    client.vanish(query('COPY items (id, owner) FROM STDIN'), frame('d', Buffer.from('8\t'))),
  'vanish in a pipeline': (client) =>
    client.vanish(run(`SELECT '${client.tag}'`), run(`LISTEN ${client.tenant}`), run(READ)),
  'change the tenant': (client) => client.change(),
  'change the tenant again': (client) => client.change(),
}
