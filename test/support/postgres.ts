import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { findPostgres, type PostgresBinaries, type PostgresMajor } from './postgres-binaries.ts'
import {
  type AuthMethod,
  type Cluster,
  type ClusterConfig,
  configureCluster,
  createCluster,
  probePort,
  SUPER_PASSWORD,
  SUPERUSER,
  writeSettings,
} from './postgres-cluster.ts'
import { PostgresStartError, Postmaster, type StopMode } from './postmaster.ts'

const START_ATTEMPTS = 20
const RETRY_DELAY_MS = 50

export interface PostgresOptions {
  readonly major: PostgresMajor
  /** Lines of `postgresql.conf`; values are quoted here. Over the defaults made for tests. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * Lines of `pg_hba.conf` that come before the ones for `auth`, and after one that lets the
   * superuser in through the unix socket.
   */
  readonly hba?: readonly string[]
  /** How everybody is asked for a password, over TCP and socket. @defaultValue `'trust'` */
  readonly auth?: AuthMethod
  /** Files for the data folder by name, such as `server.key`; readable by the server only. */
  readonly files?: Readonly<Record<string, string>>
}

/** A real Postgres on loopback, for one test file. */
export interface PostgresServer {
  readonly host: string
  readonly port: number
  /** Folder of the unix socket `.s.PGSQL.<port>`. */
  readonly socketDir: string
  /** Of the postmaster; changes with every restart. */
  readonly pid: number
  readonly superuser: string
  readonly superPassword: string
  /** Connection string over TCP; the superuser's by default. */
  url(database: string, login?: { readonly user?: string; readonly password?: string }): string
  /** Ends it and starts it again on the same port and data; also after `kill` or `halt`. */
  restart(mode?: StopMode): Promise<void>
  /** Ends it and keeps its data and port for `restart`. @defaultValue `'fast'` */
  halt(mode?: StopMode): Promise<void>
  /** Signals the postmaster and waits for nothing. */
  kill(signal: NodeJS.Signals): void
  /** Ends it and removes its files. Safe to call twice. */
  stop(): Promise<void>
  /** What it has written to its log since its last start, up to the newest 4 MiB. */
  log(): string
}

/**
 * Starts a Postgres of its own, on a free port, from a template that is made once per machine.
 * It ends with this process at the latest.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const config: ClusterConfig = {
    settings: options.settings ?? {},
    hba: options.hba ?? [],
    auth: options.auth ?? 'trust',
    files: options.files ?? {},
  }
  const binaries = await findPostgres(options.major)
  const cluster = await createCluster(binaries)
  try {
    await configureCluster(cluster, binaries, config)
    return await EmbeddedPostgres.start(cluster, binaries, config)
  } catch (error) {
    await removeCluster(cluster)
    throw error
  }
}

/**
 * Runs SQL as the superuser, over the unix socket.
 *
 * @returns the rows of the last statement.
 */
export async function sql(
  server: PostgresServer,
  database: string,
  text: string,
): Promise<readonly Record<string, unknown>[]> {
  const { superuser: user, superPassword: password, port, socketDir: host } = server
  const client = new Client({ host, port, user, password, database })
  await client.connect()
  try {
    const result: unknown = await client.query(text)
    const last = Array.isArray(result) ? result.at(-1) : result
    return last.rows
  } finally {
    await client.end()
  }
}

class EmbeddedPostgres implements PostgresServer {
  readonly host = '127.0.0.1'
  readonly superuser = SUPERUSER
  readonly superPassword = SUPER_PASSWORD
  readonly port: number
  readonly #cluster: Cluster
  readonly #binaries: PostgresBinaries
  #postmaster: Postmaster

  private constructor(started: Started, cluster: Cluster, binaries: PostgresBinaries) {
    this.port = started.port
    this.#postmaster = started.postmaster
    this.#cluster = cluster
    this.#binaries = binaries
  }

  static async start(
    cluster: Cluster,
    binaries: PostgresBinaries,
    config: ClusterConfig,
  ): Promise<EmbeddedPostgres> {
    const started = await retryStart(async () => {
      const port = await probePort()
      await writeSettings(cluster, port, config)
      return { port, postmaster: await Postmaster.start(cluster, binaries) }
    })
    const server = new EmbeddedPostgres(started, cluster, binaries)
    if (config.auth === 'md5') await storePasswordAsMd5(server)
    return server
  }

  get socketDir(): string {
    return this.#cluster.dir
  }

  get pid(): number {
    return this.#postmaster.pid
  }

  url(database: string, login: { readonly user?: string; readonly password?: string } = {}) {
    const user = login.user ?? this.superuser
    const password = login.password ?? (user === this.superuser ? this.superPassword : undefined)
    const url = new URL(`postgresql://${this.host}:${this.port}`)
    url.username = encodeURIComponent(user)
    if (password !== undefined) url.password = encodeURIComponent(password)
    url.pathname = `/${encodeURIComponent(database)}`
    return url.href
  }

  async halt(mode: StopMode = 'fast'): Promise<void> {
    await this.#postmaster.stop(mode)
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.halt(mode)
    this.#postmaster = await retryStart(() => Postmaster.start(this.#cluster, this.#binaries))
  }

  kill(signal: NodeJS.Signals): void {
    this.#postmaster.kill(signal)
  }

  async stop(): Promise<void> {
    await this.halt()
    await removeCluster(this.#cluster)
  }

  log(): string {
    return this.#postmaster.log()
  }
}

interface Started {
  readonly port: number
  readonly postmaster: Postmaster
}

async function retryStart<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const mayHelp = error instanceof PostgresStartError && error.isTransient
      if (!mayHelp || attempt === START_ATTEMPTS) throw error
      await sleep(RETRY_DELAY_MS)
    }
  }
}

/** Otherwise the superuser's verifier stays the template's SCRAM one and md5 is never asked for. */
async function storePasswordAsMd5(server: PostgresServer): Promise<void> {
  await sql(server, 'postgres', `alter role ${SUPERUSER} password '${SUPER_PASSWORD}'`)
}

async function removeCluster(cluster: Cluster): Promise<void> {
  // Backends of a killed postmaster may write a moment longer.
  await rm(cluster.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}
