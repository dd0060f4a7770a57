import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresServer } from '../../test/support/postgres.ts'
import { probePort } from '../../test/support/postgres-cluster.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { LOGIN } from './pgusher.ts'

const run = promisify(execFile)

/** Debian puts it where the PATH of an ordinary user does not lead. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`
/** PgBouncer refuses to run as root. */
const NOBODY = 65_534

/** What PgBouncer is told. */
export interface PgbouncerOptions {
  readonly server: PostgresServer
  /** Lines of `[databases]`, by name: what follows host and port. */
  readonly databases: Readonly<Record<string, string>>
  readonly poolSize: number
  readonly maxClients: number
}

/**
 * Makes sure that PgBouncer is there, installing Debian's package if this process may.
 *
 * @returns Its version, such as `1.18.0`.
 * @throws Error - it is not there and can't be installed.
 */
export async function findPgbouncer(): Promise<string> {
  const found = await version()
  if (found !== undefined) return found
  const script = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends pgbouncer'
  // Runlevel 1: the package starts no service of its own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  try {
    await run('/bin/sh', ['-c', script], { env })
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new Error(`pgbouncer is not on the PATH and could not be installed:\n${said}`, { cause })
  }
  const installed = await version()
  if (installed === undefined) throw new Error('pgbouncer was installed, but does not run')
  return installed
}

/** Starts PgBouncer in transaction mode with files of its own, as an unprivileged user. */
export async function startPgbouncer(options: PgbouncerOptions): Promise<Daemon> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-bench-pgbouncer-'))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  try {
    const port = await probePort()
    const ini = join(folder, 'pgbouncer.ini')
    const users = join(folder, 'users.txt')
    await writeFile(users, `"${LOGIN}" ""\n`)
    await writeFile(ini, iniText(options, { port, users }))
    await chmod(folder, 0o755)
    const isRoot = process.getuid?.() === 0
    const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
    if (isRoot) await chown(folder, NOBODY, NOBODY)
    // Node has the highest limit that it may have; a shell has to ask for it.
    const args = ['-c', 'ulimit -n "$(ulimit -H -n)"; exec pgbouncer -q "$1"', 'sh', ini]
    const spawnOptions = { ...owner, cwd: folder, env: { PATH } }
    const daemon = await startDaemon({ command: '/bin/sh', args, port, options: spawnOptions })
    return { ...daemon, stop: () => daemon.stop().finally(removeFolder) }
  } catch (error) {
    await removeFolder()
    throw error
  }
}

async function version(): Promise<string | undefined> {
  try {
    const { stdout } = await run('pgbouncer', ['--version'], { env: { PATH } })
    return /PgBouncer (\S+)/.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}

function iniText(
  { server, databases, poolSize, maxClients }: PgbouncerOptions,
  { port, users }: { readonly port: number; readonly users: string },
): string {
  const lines = Object.entries(databases).map(
    ([name, rest]) =>
      `${name} = host=${server.host} port=${server.port} user=${server.superuser} ${rest}`,
  )
  return [
    '[databases]',
    ...lines,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'listen_backlog = 511',
    'unix_socket_dir =',
    'auth_type = trust',
    `auth_file = ${users}`,
    'pool_mode = transaction',
    `default_pool_size = ${poolSize}`,
    `max_client_conn = ${maxClients}`,
    'ignore_startup_parameters = extra_float_digits',
    'log_connections = 0',
    'log_disconnections = 0',
    '',
  ].join('\n')
}
