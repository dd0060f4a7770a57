import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import t from 'tap'
import { kitScript } from '../../src/lifecycle/sql-kit/kit-script.ts'
import { TenantTokenSigner, type TokenKey } from '../../src/tenancy/tenant-token.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'
import type { PostgresMajor } from '../support/postgres-binaries.ts'

const LIFETIME_MS = 60_000

export const MAJORS = [15, 18] as const

/** A server with a role that may do no more than own databases, and the one that tenants use. */
export async function startKitServer(major: PostgresMajor): Promise<PostgresServer> {
  const server = await startPostgres({ major })
  t.teardown(() => server.stop())
  await sql(server, 'postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE app LOGIN')
  return server
}

/** A database of `owner` with the kit and one key, and clients of it. */
export class KitDatabase {
  readonly key: TokenKey = newKey('first')
  readonly owner: Client
  readonly #server: PostgresServer
  readonly #name: string
  readonly #clients: Client[] = []

  private constructor(server: PostgresServer, name: string, owner: Client) {
    this.#server = server
    this.#name = name
    this.owner = owner
    this.#clients.push(owner)
  }

  static async create(server: PostgresServer, name: string): Promise<KitDatabase> {
    await createDatabase(server, name)
    const database = new KitDatabase(server, name, await connect(server, name, 'owner'))
    await database.owner.query(kitScript('app.tenant_id'))
    await database.add(database.key)
    return database
  }

  async add({ id, key }: TokenKey): Promise<void> {
    await this.owner.query('SELECT pgusher.add_key($1, $2)', [id, Buffer.from(key, 'base64')])
  }

  async connect(user: string): Promise<Client> {
    const client = await connect(this.#server, this.#name, user)
    this.#clients.push(client)
    return client
  }

  /** A client of the application's role that acts for a tenant. */
  async tenant(tenantId: string): Promise<Client> {
    const client = await this.connect('app')
    await present(client, await this.token(client, tenantId))
    return client
  }

  async asSuperuser(text: string): Promise<void> {
    await sql(this.#server, this.#name, text)
  }

  async token(client: Client, tenantId: string, key: TokenKey = this.key): Promise<string> {
    const signer = new TenantTokenSigner(key, LIFETIME_MS)
    return signer.sign({ tenantId, processId: await processIdOf(client) }, Date.now()).text
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()))
  }
}

/** As the roles of Postgres' own defaults would have it, `app` may create in `public`. */
export async function createDatabase(server: PostgresServer, name: string): Promise<void> {
  await sql(server, 'postgres', `CREATE DATABASE ${name} OWNER owner`)
  await sql(server, name, 'GRANT ALL ON SCHEMA public TO app')
}

export async function connect(server: PostgresServer, database: string, user: string) {
  const client = new Client({ connectionString: server.url(database, { user }) })
  await client.connect()
  return client
}

export function newKey(id: string): TokenKey {
  return { id, key: randomBytes(32).toString('base64') }
}

export async function processIdOf(client: Client): Promise<number> {
  return Number(await fieldOf(client, 'SELECT pg_backend_pid() AS value'))
}

/** Puts a text where tokens are read. */
export async function present(client: Client, text: string): Promise<void> {
  await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [text])
}

/** Whom the database takes a client for. */
export async function tenantOf(client: Client): Promise<unknown> {
  return fieldOf(client, 'SELECT pgusher.tenant_id() AS value')
}

/** Whom the database takes a client for that presents that text. */
export async function tenantBy(client: Client, text: string): Promise<unknown> {
  await present(client, text)
  return tenantOf(client)
}

export async function fieldOf(client: Client, text: string): Promise<unknown> {
  const { rows } = await client.query(text)
  return rows[0]?.value
}

/** One column of all rows. */
export async function columnOf(client: Client, text: string): Promise<unknown[]> {
  const { rows } = await client.query({ text, rowMode: 'array' })
  return rows.map((row: readonly unknown[]) => row[0])
}
