import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdminListenError } from '../../src/admin/admin-errors.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { ListenError } from '../../src/listener/listener-errors.ts'
import { startProxy } from '../../src/proxy.ts'
import { createLogger } from '../../src/telemetry/log/logger.ts'
import type { PostgresServer } from '../../test/support/postgres.ts'
import { probePort } from '../../test/support/postgres-cluster.ts'
import { type DemoTenant, SHARED, TENANTS } from './tenants.ts'

/** PgUsher as the demo runs it: in this process, from a configuration file. */
export interface Served {
  readonly port: number
  readonly adminPort: number
  readonly configFile: string
  readonly configText: string
  /** The events that it has logged so far. */
  events(): readonly Readonly<Record<string, unknown>>[]
  /** Ends it and removes the file. */
  stop(): Promise<void>
}

/** A login for all tenants, and one for a single tenant. */
export const LOGINS = {
  app: { user: 'app', password: 'open-sesame' },
  reports: { user: 'reports', password: 'read-only' },
} as const

/** Who may look into the console, and change things there. */
export const OPERATOR = { user: 'ops', password: 'all-seeing' } as const

/** The only tenant of the login `reports`. */
export const REPORTS_TENANT = 'acme'

const PORT = 6432
const ADMIN_PORT = 9127
/** Between the look for a free port and its use, somebody else may take it. */
const START_ATTEMPTS = 5

/** Writes the configuration and serves from it, on the usual ports where they are free. */
export async function servePostgres(server: PostgresServer): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-demo-'))
  try {
    return await retryPorts(() => serveFrom(folder, server))
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

async function serveFrom(folder: string, server: PostgresServer): Promise<Served> {
  const configText = configuration(server, await freePort(PORT), await freePort(ADMIN_PORT))
  const configFile = join(folder, 'pgusher.yaml')
  writeFileSync(configFile, configText, { mode: 0o600 })
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const config = loadConfig({ file: configFile, env: {} })
  const proxy = await startProxy(config, createLogger({ level: config.log.level, destination }))
  return {
    port: proxy.port,
    adminPort: proxy.adminPort,
    configFile,
    configText,
    events: () => lines.map((line) => JSON.parse(line)),
    async stop() {
      await proxy.drain()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function retryPorts(start: () => Promise<Served>): Promise<Served> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const isTaken = error instanceof ListenError || error instanceof AdminListenError
      if (!isTaken || attempt === START_ATTEMPTS) throw error
    }
  }
}

function configuration(server: PostgresServer, port: number, adminPort: number): string {
  const { app, reports } = LOGINS
  return `listen: { host: 127.0.0.1, port: ${port} }
admin:  { host: 127.0.0.1, port: ${adminPort} }
logins:
  - { user: app, password: ${app.password}, tenants: '*' }
  - { user: reports, password: ${reports.password}, tenants: [${REPORTS_TENANT}] }
console:
  logins:
    - { user: ${OPERATOR.user}, password: ${OPERATOR.password}, role: admin }
servers:
  shared: { url: '${server.url(SHARED.database, SHARED)}' }
pool: { mode: transaction, size: 2 }
timeouts: { drainMs: 1000 }
tenants:
${TENANTS.map((tenant) => tenantLine(tenant, server)).join('\n')}
`
}

function tenantLine({ name, strategy, id }: DemoTenant, server: PostgresServer): string {
  const key = `  - { name: ${`${name},`.padEnd(9)} strategy: ${`${strategy},`.padEnd(9)}`
  if (strategy === 'schema') return `${key} server: shared }`
  if (strategy === 'row') return `${key} server: shared, id: '${id}' }`
  return `${key} databaseUrl: '${server.url(name, { user: name, password: name })}' }`
}

/** The wanted port, else any. */
async function freePort(wanted: number): Promise<number> {
  return (await isFree(wanted)) ? wanted : probePort()
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
