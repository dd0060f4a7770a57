import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildOnce, cacheDir, type PostgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

export const SUPERUSER = 'postgres'
export const SUPER_PASSWORD = 'usher-of-tests'

/** Changes whenever what is below a template changes, so that old templates are not met again. */
const TEMPLATE_FORMAT = 1

/** How passwords are asked for; what `pg_hba.conf` says of everybody but the local superuser. */
export type AuthMethod = 'trust' | 'scram-sha-256' | 'md5' | 'password'

/** Speed before durability: these servers never outlive their test. */
const TEST_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_connections: '300',
  listen_addresses: '127.0.0.1',
  lc_messages: 'C',
  jit: 'off',
}

/** One server's files: a folder of its own, with `data/` and the unix socket in it. */
export interface Cluster {
  readonly dir: string
  readonly dataDir: string
}

export interface ClusterConfig {
  readonly settings: Readonly<Record<string, string>>
  readonly auth: AuthMethod
  readonly hba: readonly string[]
  readonly files: Readonly<Record<string, string>>
}

/** Copies the template of this version (made on first use) into a new folder. */
export async function createCluster(binaries: PostgresBinaries): Promise<Cluster> {
  const template = await findTemplate(binaries)
  const dir = await mkdtemp(join(tmpdir(), 'pgusher-'))
  const dataDir = join(dir, 'data')
  await giveToServer(dir, binaries)
  // Clients of any user connect through the socket in this folder.
  await chmod(dir, 0o755)
  await run('cp', ['-a', join(template, 'data'), dataDir])
  return { dir, dataDir }
}

/** Writes what a cluster keeps across restarts on changed ports: `pg_hba.conf` and own files. */
export async function configureCluster(
  cluster: Cluster,
  binaries: PostgresBinaries,
  config: ClusterConfig,
): Promise<void> {
  const hba = [
    `local all ${SUPERUSER} trust`,
    ...config.hba,
    `local all all ${config.auth}`,
    `host all all all ${config.auth}`,
    `local replication ${SUPERUSER} trust`,
    `host replication all all ${config.auth}`,
  ]
  const files = { ...config.files, 'pg_hba.conf': `${hba.join('\n')}\n` }
  for (const [name, text] of Object.entries(files)) {
    const path = join(cluster.dataDir, name)
    // A private key must not be readable by others, or Postgres refuses it.
    await writeFile(path, text, { mode: 0o600 })
    await giveToServer(path, binaries)
  }
}

/** Writes `postgresql.conf`; `ALTER SYSTEM` still overrides it. */
export async function writeSettings(
  cluster: Cluster,
  port: number,
  config: ClusterConfig,
): Promise<void> {
  const settings = {
    ...TEST_SETTINGS,
    password_encryption: config.auth === 'md5' ? 'md5' : 'scram-sha-256',
    ...config.settings,
    port: String(port),
    unix_socket_directories: cluster.dir,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quote(value)}\n`)
  await writeFile(join(cluster.dataDir, 'postgresql.conf'), lines.join(''))
}

/** A port that was free a moment ago; somebody else may still take it first. */
export async function probePort(): Promise<number> {
  const probe = createServer()
  return new Promise((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}

async function findTemplate(binaries: PostgresBinaries): Promise<string> {
  const name = `template-${TEMPLATE_FORMAT}-${binaries.version}`
  const path = join(await cacheDir(), name)
  await buildOnce(path, async (dir) => {
    await giveToServer(dir, binaries)
    const passwordFile = join(dir, 'password')
    await writeFile(passwordFile, SUPER_PASSWORD, { mode: 0o600 })
    await giveToServer(passwordFile, binaries)
    await runInitdb(dir, passwordFile, binaries)
    await rm(passwordFile)
  })
  return path
}

async function runInitdb(
  dir: string,
  passwordFile: string,
  binaries: PostgresBinaries,
): Promise<void> {
  const options = [
    `--pgdata=${join(dir, 'data')}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--locale=C.UTF-8',
    '--encoding=UTF8',
    '--no-sync',
  ]
  await run(join(binaries.binDir, 'initdb'), options, {
    ...binaries.owner,
    cwd: dir,
    env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' },
  })
}

async function giveToServer(path: string, { owner }: PostgresBinaries): Promise<void> {
  if (owner !== undefined) await chown(path, owner.uid, owner.gid)
}

function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
