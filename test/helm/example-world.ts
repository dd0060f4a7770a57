import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { at, type KubernetesObject, readObjects, theObject } from '../support/helm.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { probePort } from '../support/postgres-cluster.ts'
import { configText } from './pod-parts.ts'

/** What the Secrets of the examples hold: nothing that YAML would mind, as it stands in a text here. */
export const SECRETS = { POSTGRES_PASSWORD: 'hush1', POOL_PASSWORD: 'hush2', APP_PASSWORD: 'hush3' }

/** Where the shell and psql are. */
export const PATH = '/usr/bin:/bin'

/** A Postgres in which the script of `examples/kubernetes/postgres.yaml` has run. */
export async function startExamplePostgres(): Promise<PostgresServer> {
  const postgres = await startPostgres({ major: 15, auth: 'scram-sha-256' })
  const map = theObject(readObjects('examples/kubernetes/postgres.yaml'), 'ConfigMap')
  const script = (at(map, 'data') as Readonly<Record<string, string>>)['tenants.sh'] ?? 'exit 1'
  const { superuser, superPassword, port, socketDir } = postgres
  const login = { PGHOST: socketDir, PGPORT: String(port), PGPASSWORD: superPassword }
  const env = { PATH, ...login, ...SECRETS, POSTGRES_USER: superuser, POSTGRES_DB: 'saas' }
  execFileSync('psql', ['-U', superuser, '-d', 'postgres', '-c', 'CREATE DATABASE saas'], { env })
  execFileSync('sh', ['-c', script], { env })
  return postgres
}

/** A configuration with what tests read of it. */
type LocalConfig = Readonly<Record<string, unknown>> & {
  readonly listen: { readonly port: number }
  readonly admin: { readonly port: number }
}

/** What the proxy reads in a pod, with addresses and paths of this machine in place of the pod's. */
export async function localConfig(
  t: Test,
  objects: readonly KubernetesObject[],
  postgres: PostgresServer,
): Promise<LocalConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-run-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const text = Object.entries(SECRETS).reduce(
    (text, [name, value]) => text.replaceAll(`$\{env:${name}}`, value),
    configText(objects)
      .replaceAll('@postgres:5432', `@127.0.0.1:${postgres.port}`)
      .replaceAll('/run/pgusher', folder),
  )
  const config = parse(text)
  const [listen, admin] = [await probePort(), await probePort()]
  return {
    ...config,
    listen: { ...config.listen, port: listen },
    admin: { ...config.admin, port: admin },
  }
}
