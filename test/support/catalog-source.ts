import { readdirSync, readFileSync } from 'node:fs'
import { migrate, readerGrants } from '../../src/catalog/postgres/schema/migrate.ts'
import { type PostgresServer, sql, startPostgres } from './postgres.ts'
import type { PostgresMajor } from './postgres-binaries.ts'

const DATABASE = 'postgres'
const READER = 'pgusher_reader'

/** A Postgres of its own that holds a catalog and nothing else. */
export interface CatalogSource {
  readonly server: PostgresServer
  /** Of a login that may read the catalog and nothing more. */
  readonly url: string
  /** Runs SQL as the superuser; returns the rows of the last statement. */
  run(text: string): Promise<readonly Record<string, unknown>[]>
  /** It goes on listening and holds its connections, and answers nothing until `thaw`. */
  freeze(): void
  /** Safe to call at any time. */
  thaw(): void
  stop(): Promise<void>
}

/** Starts a Postgres whose catalog is empty. */
export async function startSource(major: PostgresMajor = 18): Promise<CatalogSource> {
  const server = await startPostgres({
    major,
    settings: { max_connections: '60', synchronous_commit: 'on' },
  })
  const run = (text: string) => sql(server, DATABASE, text)
  await migrate({ query: async (text) => ({ rows: [...(await run(text))] }) })
  await run(`CREATE ROLE ${READER} LOGIN; ${readerGrants(READER)}`)
  let frozen: readonly number[] = []
  const thaw = () => {
    for (const pid of frozen) signal(pid, 'SIGCONT')
    frozen = []
  }
  return {
    server,
    url: `${server.url(DATABASE, { user: READER })}?sslmode=disable`,
    run,
    freeze() {
      signal(server.pid, 'SIGSTOP')
      frozen = [server.pid, ...childrenOf(server.pid)]
      for (const pid of frozen) signal(pid, 'SIGSTOP')
    },
    thaw,
    async stop() {
      thaw()
      await server.stop()
    },
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}

/** A postmaster's processes lead sessions of their own: one signal does not reach them all. */
function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program stands in brackets and may hold anything.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
