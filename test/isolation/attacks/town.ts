import { Client } from 'pg'
import type { Test } from 'tap'
import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import { newKey } from '../../lifecycle/kit-fixture.ts'
import { type PostgresServer, sql, startPostgres } from '../../support/postgres.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import { startTestProxy, type TestProxy } from '../../support/proxy.ts'
import type { Ground, Shared } from './attack.ts'
import {
  HEAL_ROLES,
  PLAIN,
  ROLES,
  ROWS_LOGIN,
  roleOf,
  SEALED,
  sealedOnce,
  secretOf,
  TENANTS,
} from './town-sql.ts'

/** What a proxy of one attack is like. */
export interface Sight {
  readonly strategy: Shared
  readonly level: IsolationLevel
  readonly poolSize: number
  readonly withRole: boolean
}

/** Longest time that the victim waits for a lock, in ms: it hangs only where it is locked out. */
export const PATIENCE_MS = 1000
/** And for a server connection. */
const WAIT_MS = 5000

/** A server with tenants that share a database: `plain` below level `sealed`, and `sealed`. */
export class Town {
  readonly key = newKey('first')
  readonly server: PostgresServer
  readonly #healers = new Map<string, Client>()

  private constructor(server: PostgresServer) {
    this.server = server
  }

  static async start(t: Test, major: PostgresMajor): Promise<Town> {
    const server = await startPostgres({ major, auth: 'scram-sha-256' })
    t.teardown(() => server.stop())
    const town = new Town(server)
    await sql(server, 'postgres', ROLES)
    await sql(server, 'postgres', 'CREATE DATABASE plain OWNER pool')
    await sql(server, 'postgres', 'CREATE DATABASE sealed OWNER kit_owner')
    await sql(server, 'sealed', sealedOnce(town.key))
    for (const name of ['plain', 'sealed']) {
      const { socketDir: host, port, superuser: user, superPassword: password } = server
      const client = new Client({ host, port, user, password, database: name })
      await client.connect()
      t.teardown(() => client.end())
      town.#healers.set(name, client)
    }
    return town
  }

  /** Takes back whatever an attack did, and ends the server connections that it left. */
  async heal(level: IsolationLevel): Promise<void> {
    const healer = this.#healers.get(databaseOf(level)) as Client
    await healer.query(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE datname IN ('plain', 'sealed') AND usename <> current_user`,
    )
    await healer.query(HEAL_ROLES)
    await healer.query(level === 'sealed' ? SEALED : PLAIN)
  }

  /** A proxy before it. The attacker's login may act for the attacker, the victim's for both. */
  open(sight: Sight): Promise<TestProxy> {
    const { attacker, victim } = TENANTS[sight.strategy]
    return startTestProxy({
      auth: { method: 'trust' },
      isolation: { level: sight.level, keys: [this.key] },
      pool: { size: sight.poolSize },
      timeouts: { waitMs: WAIT_MS },
      logins: [
        { user: 'evil', password: 'none', tenants: [attacker] },
        { user: 'app', password: 'none', tenants: '*' },
      ],
      servers: this.#servers(sight),
      tenants: [attacker, victim].map((name) => this.#tenant(name, sight)),
    })
  }

  ground({ strategy, level }: Sight): Ground {
    const { attacker, victim } = TENANTS[strategy]
    const theirSchema = strategy === 'row' ? 'public' : `tenant_${victim}`
    const ownLogin = strategy === 'row' ? ROWS_LOGIN : attacker
    return {
      strategy,
      setting: strategy === 'row' ? 'app.tenant_id' : 'search_path',
      mine: placeOf(attacker, strategy),
      theirs: placeOf(victim, strategy),
      theirItems: `${theirSchema}.items`,
      theirSchema,
      login: level === 'sealed' ? ownLogin : 'pool',
      theirRole: roleOf(victim),
      secret: secretOf(victim),
    }
  }

  #servers({ strategy, level }: Sight): Record<string, unknown> {
    const user = level === 'sealed' && strategy === 'row' ? ROWS_LOGIN : 'pool'
    return { shared: { url: this.server.url(databaseOf(level), { user, password: user }) } }
  }

  #tenant(name: string, sight: Sight): Record<string, unknown> {
    const { strategy, level, withRole, poolSize } = sight
    const isSealed = level === 'sealed'
    const ownLogin = { serverLogin: { user: name, password: name }, pool: { size: poolSize } }
    return {
      name,
      strategy,
      server: 'shared',
      settings: { lock_timeout: PATIENCE_MS },
      ...(strategy === 'row' ? { id: `id-of-${name}` } : {}),
      ...(strategy === 'schema' && isSealed ? ownLogin : {}),
      ...(strategy === 'schema' && !isSealed ? { searchPath: ['public'] } : {}),
      ...(withRole && !isSealed ? { role: roleOf(name) } : {}),
    }
  }
}

function databaseOf(level: IsolationLevel): string {
  return level === 'sealed' ? 'sealed' : 'plain'
}

function placeOf(tenant: string, strategy: Shared): string {
  return strategy === 'row' ? `id-of-${tenant}` : `tenant_${tenant}`
}
