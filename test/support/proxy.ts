import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { stringify } from 'yaml'
import type { Clock } from '../../src/base/clock.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { type RunningProxy, startProxy } from '../../src/proxy.ts'
import { createLogger } from '../../src/telemetry/log/logger.ts'

/** A proxy on free ports, made from the settings of a configuration file. */
export interface TestProxy extends RunningProxy {
  readonly config: Config
  /** A connected node-postgres client of a tenant. End it. */
  connect(tenant: string, options?: pg.ClientConfig): Promise<pg.Client>
  /** What the proxy logged so far, a JSON line an event. */
  log(): string
  /** The present value of a metric, summed over its labels that match. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  stop(): Promise<void>
}

/** The password that every login of a test has. */
export const PASSWORD = 'open sesame'

/** Reads settings as `pgusher serve` would read them from a file. Ports are free ones. */
export function testConfig(settings: Readonly<Record<string, unknown>>): Config {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-test-'))
  try {
    const file = join(folder, 'pgusher.yaml')
    writeFileSync(
      file,
      stringify({ logins: [{ user: 'app', password: PASSWORD, tenants: '*' }], ...settings }),
    )
    const config = loadConfig({ file, env: {} })
    return {
      ...config,
      listen: { ...config.listen, port: 0 },
      admin: { ...config.admin, port: 0 },
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export async function startTestProxy(
  settings: Readonly<Record<string, unknown>>,
  clock?: Clock,
): Promise<TestProxy> {
  const lines: string[] = []
  const config = testConfig(settings)
  const destination = { write: (line: string) => void lines.push(line) }
  const proxy = await startProxy(
    config,
    createLogger({ level: 'debug', destination }),
    clock && { clock },
  )
  return {
    ...proxy,
    config,
    async connect(tenant, options = {}) {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: proxy.port,
        user: `app.${tenant}`,
        password: PASSWORD,
        database: 'any',
        ...options,
      })
      client.on('error', () => {})
      await client.connect()
      return client
    },
    log: () => lines.join(''),
    metric: (name, labels = {}) => readMetric(proxy.adminPort, name, labels),
    async stop() {
      proxy.kill()
    },
  }
}

/** The present value of a metric of a proxy, summed over its labels that match. */
export async function readMetric(
  adminPort: number,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const lines = (await response.text()).split('\n')
  return lines
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
