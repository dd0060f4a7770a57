import { Client } from 'pg'
import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { Strategy } from '../../../src/tenancy/tenancy.ts'
import { type PostgresServer, sql } from '../../support/postgres.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import { type Addressed, PAIRS, saasSettings, startSaas } from '../../support/saas.ts'
import { sealedSettings, startSealedTown } from '../sealed-town.ts'
import { Gate } from './gate.ts'
import { lookFunction, PLAIN_IDENTITY } from './look.ts'
import type { Pair, PoolMode, Seat } from './pair.ts'

/** The number of a large object that everybody may read. */
export const LARGE_OBJECT = 4711

/** Cases fail on purpose, and what they ran would fill the log. */
const QUIET = { log_min_messages: 'log' }

/** Time limits that are soon over. */
const IMPATIENT = { hasty: { idleInTransactionMs: 40 }, brief: { queryMs: 150 } } as const

/** Which time limit is soon over. */
export type Impatience = keyof typeof IMPATIENT

/** A Postgres server whose tenants take turns. */
export interface Town {
  readonly server: Addressed
  /** A gate of that database. */
  gate(database: string): Gate
  /** As the superuser. */
  asSuperuser(text: string): Promise<void>
  /** Leaves it; the server goes on. */
  leave(): Promise<void>
}

const DATABASES = ['saas', 'acme', 'umbrella']

/** @param isSealed - Postgres itself keeps the tenants of the shared database apart. */
export async function startTownServer(
  major: PostgresMajor,
  isSealed: boolean,
): Promise<PostgresServer> {
  const options = { auth: 'trust', settings: QUIET } as const
  const server = await (isSealed ? startSealedTown(major, options) : startSaas(major, options))
  await sql(server, 'postgres', 'CREATE ROLE helper; GRANT helper TO pool')
  for (const database of DATABASES) {
    const hasTokens = isSealed && database === 'saas'
    await sql(server, database, sharedThings(hasTokens ? 'pgusher.tenant_id()' : PLAIN_IDENTITY))
  }
  return server
}

/** @param server - As `startTownServer` made it. */
export async function openTown(server: Addressed): Promise<Town> {
  const gates = new Map<string, Gate>()
  for (const database of DATABASES) gates.set(database, await Gate.open(server, database))
  const superuser = new Client({ connectionString: server.url('postgres') })
  await superuser.connect()
  return {
    server,
    gate(database) {
      const gate = gates.get(database)
      if (gate === undefined) throw new Error(`no gate of ${database}`)
      return gate
    },
    asSuperuser: async (text) => void (await superuser.query(text)),
    async leave() {
      await Promise.all([superuser.end(), ...[...gates.values()].map((gate) => gate.close())])
    },
  }
}

/** What a proxy of a town is like. */
export interface ProxyPlan {
  readonly mode: PoolMode
  readonly level: IsolationLevel
  /** Of the tenants that leave. */
  readonly impatience: Impatience | undefined
}

/** One server connection for all tenants of a server. */
export function openProxy({ server }: Town, plan: ProxyPlan): Promise<TestProxy> {
  return startTestProxy(townSettings(server, plan))
}

function townSettings(
  server: Addressed,
  { mode, level, impatience }: ProxyPlan,
): Record<string, unknown> {
  const base = baseSettings(server, level)
  const leaving = PAIRS.map(({ first }): string => first)
  const timeouts = impatience === undefined ? {} : IMPATIENT[impatience]
  return {
    ...base,
    auth: { method: 'trust' },
    pool: { mode, size: 1 },
    tenants: tenantsOf(base).map((tenant) => ({
      ...tenant,
      // The proof of sealed tenants asks that they say what they share.
      ...(tenant.strategy === 'schema' ? { searchPath: ['shared'] } : {}),
      ...(leaving.includes(tenant.name) ? { timeouts } : {}),
    })),
  }
}

/** Tenants of a database of their own are the same at every level. */
function baseSettings(server: Addressed, level: IsolationLevel): Record<string, unknown> {
  if (level !== 'sealed') return saasSettings(server, { isolation: { level } })
  const sealed = sealedSettings(server)
  const ofDatabases = tenantsOf(saasSettings(server)).filter(
    ({ strategy }) => strategy === 'database',
  )
  return { ...sealed, tenants: [...ofDatabases, ...tenantsOf(sealed)] }
}

interface TenantSettings {
  readonly name: string
  readonly strategy: Strategy
}

function tenantsOf(settings: Record<string, unknown>): readonly TenantSettings[] {
  return settings['tenants'] as readonly TenantSettings[]
}

/** The tenants of a strategy. */
export function pairOf(strategy: Strategy): Pair {
  switch (strategy) {
    case 'database':
      return { strategy, first: ofDatabase('acme'), second: ofDatabase('umbrella') }
    case 'schema':
      return { strategy, first: ofSchema('globex'), second: ofSchema('hooli') }
    case 'row':
      return { strategy, first: ofRows('initech', '42'), second: ofRows('initrode', '43') }
  }
}

function ofDatabase(tenant: string): Seat {
  return { ...ofRows(tenant, ''), serverUser: tenant, database: tenant }
}

function ofSchema(tenant: string): Seat {
  return { ...ofRows(tenant, ''), schema: `tenant_${tenant}` }
}

function ofRows(tenant: string, id: string): Seat {
  return { tenant, id, serverUser: 'pool', database: 'saas', schema: 'public' }
}

/** Things that all tenants of a database may use. */
const sharedThings = (identity: string) => `
  CREATE SCHEMA shared;
  CREATE FUNCTION shared.set_setting(name text, value text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RETURN set_config(name, value, false); END $$;
  CREATE FUNCTION shared.peek() RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RETURN (SELECT string_agg(owner, ',') FROM items);
       EXCEPTION WHEN undefined_table OR insufficient_privilege THEN RETURN ''; END $$;
  CREATE TABLE shared.notes (name text, value text);
  CREATE FUNCTION shared.note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM shared.set_setting(NEW.name, NEW.value); RETURN NULL; END $$;
  CREATE TRIGGER note BEFORE INSERT ON shared.notes FOR EACH ROW EXECUTE FUNCTION shared.note();
  ${lookFunction(identity)};
  CREATE TABLE shared.inbox (line text);
  CREATE SEQUENCE shared.numbers CACHE 10;
  SELECT lo_create(${LARGE_OBJECT});
  GRANT USAGE ON SCHEMA shared TO PUBLIC;
  GRANT ALL ON ALL TABLES IN SCHEMA shared TO PUBLIC;
  GRANT ALL ON ALL SEQUENCES IN SCHEMA shared TO PUBLIC;
  GRANT ALL ON LARGE OBJECT ${LARGE_OBJECT} TO PUBLIC`
