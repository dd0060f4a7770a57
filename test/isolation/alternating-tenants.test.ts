import type pg from 'pg'
import t, { type Test } from 'tap'
import type { PostgresServer } from '../support/postgres.ts'
import { startTestProxy } from '../support/proxy.ts'
import { PAIRS, saasSettings, startSaas } from '../support/saas.ts'

/** What a session can leave behind, and how another one would find it. */
const STATES = [
  {
    name: 'a setting',
    leave: "SET my.leftover = 'mine'; SET work_mem = '7MB'",
    find: "SELECT coalesce(nullif(current_setting('my.leftover', true), ''), nullif(current_setting('work_mem'), '4MB')) AS found",
  },
  {
    name: 'a setting made by set_config',
    leave: "SELECT set_config('my.leftover', 'mine', false)",
    find: "SELECT nullif(current_setting('my.leftover', true), '') AS found",
  },
  {
    name: 'a setting made in a DO block',
    leave: "DO $$ BEGIN PERFORM set_config('my.leftover', 'mine', false); END $$",
    find: "SELECT nullif(current_setting('my.leftover', true), '') AS found",
  },
  {
    name: 'a search_path',
    leave: 'SET search_path = pg_temp, pg_catalog',
    find: "SELECT 1 AS found WHERE current_setting('search_path') LIKE '%pg_temp%'",
  },
  {
    name: 'a temporary table',
    leave: 'CREATE TEMP TABLE leftover (secret text)',
    find: "SELECT relname AS found FROM pg_class WHERE relname = 'leftover' AND relnamespace = pg_my_temp_schema()",
  },
  {
    name: 'a temporary table that shadows',
    leave: "CREATE TEMP TABLE items AS SELECT 9 AS id, 'stolen'::text AS owner",
    find: "SELECT owner AS found FROM items WHERE owner = 'stolen'",
  },
  {
    name: 'a prepared statement',
    leave: 'PREPARE leftover AS SELECT 1',
    find: "SELECT name AS found FROM pg_prepared_statements WHERE name = 'leftover'",
  },
  {
    name: 'a cursor that outlives its transaction',
    leave: 'BEGIN; DECLARE leftover CURSOR WITH HOLD FOR SELECT owner FROM items; COMMIT',
    find: 'SELECT name AS found FROM pg_cursors',
  },
  {
    name: 'an advisory lock',
    leave: 'SELECT pg_advisory_lock(4711)',
    find: "SELECT objid AS found FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
  },
  {
    name: 'a channel',
    leave: 'LISTEN leftover',
    find: 'SELECT pg_listening_channels() AS found',
  },
  {
    name: 'a sequence value',
    leave: "CREATE SEQUENCE leftover; SELECT nextval('leftover'); DROP SEQUENCE leftover",
    find: 'SELECT found FROM pg_temp.try_lastval() AS found',
    prepare:
      'CREATE OR REPLACE FUNCTION pg_temp.try_lastval() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN lastval()::text; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$',
  },
] as const

/** How a session can end its hold on the server connection. */
const WAYS_OUT = [
  {
    name: 'a commit',
    leave: async (client: pg.Client, text: string) => void (await client.query(text)),
  },
  {
    name: 'an error',
    async leave(client: pg.Client, text: string) {
      await client.query(text)
      await client.query('SELECT 1/0').catch(() => undefined)
    },
  },
  {
    name: 'a rollback',
    async leave(client: pg.Client, text: string) {
      await client.query(text)
      await client.query('BEGIN')
      await client.query('SELECT 1')
      await client.query('ROLLBACK')
    },
  },
  {
    name: 'a dropped connection in a transaction',
    async leave(client: pg.Client, text: string) {
      await client.query(text)
      await client.query('BEGIN')
      const ended = new Promise((resolve) => client.once('end', resolve))
      streamOf(client).destroy()
      await ended
    },
  },
] as const

function streamOf(client: pg.Client): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
}

for (const major of [15, 18] as const) {
  t.test(`on Postgres ${major}`, async (t) => {
    const server = await startSaas(major)
    t.teardown(() => server.stop())
    for (const mode of ['transaction', 'session'] as const) {
      await t.test(`${mode} mode`, (t) => tenantsTakeTurns(t, server, mode))
    }
  })
}

async function tenantsTakeTurns(t: Test, server: PostgresServer, mode: string): Promise<void> {
  const proxy = await startTestProxy(saasSettings(server, { pool: { mode, size: 1 } }))
  t.teardown(() => proxy.stop())
  for (const { strategy, first, second } of PAIRS) {
    for (const wayOut of WAYS_OUT) {
      for (const state of STATES) {
        await t.test(`${strategy}: ${state.name} is gone after ${wayOut.name}`, async (t) => {
          const one = await proxy.connect(first)
          // What an earlier case left to the same tenant is no matter here.
          await one.query('DISCARD ALL')
          t.strictSame((await one.query('SELECT owner FROM items')).rows, [{ owner: first }])
          await wayOut.leave(one, state.leave)
          // A client that keeps its server connection must leave first.
          await one.end()
          const two = await proxy.connect(second)
          if ('prepare' in state) await two.query(state.prepare)
          const found = await two.query(`${state.find}`)
          const left = found.rows.filter((row) => row.found !== null)
          t.strictSame(left, [], 'nothing is left')
          t.strictSame((await two.query('SELECT owner FROM items')).rows, [{ owner: second }])
          await two.end()
        })
      }
    }
  }
}
