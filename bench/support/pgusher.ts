import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { probePort } from '../../test/support/postgres-cluster.ts'
import { type Daemon, startDaemon } from './daemon.ts'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** As in the first line of `src/main.ts`, which counts when the file itself is run. */
const NODE_OPTION = '--max-semi-space-size=4'

/** The client login of every bench. Passwords are left out: they are no part of what is measured. */
export const LOGIN = 'app'

/**
 * Starts `pgusher serve` as a process, on free ports.
 *
 * @param settings - As in the configuration file; `listen` and `admin` are given here.
 */
export async function startPgusher(
  settings: Readonly<Record<string, unknown>>,
): Promise<Daemon & { readonly adminPort: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-bench-'))
  const file = join(folder, 'pgusher.yaml')
  const port = await probePort()
  const adminPort = await probePort()
  const config = {
    listen: { port },
    admin: { port: adminPort },
    log: { level: 'warn' },
    auth: { method: 'trust' },
    logins: [{ user: LOGIN, tenants: '*' }],
    ...settings,
  }
  await writeFile(file, stringify(config))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  try {
    const args = [NODE_OPTION, ...extraNodeOptions(), MAIN, 'serve', '--config', file]
    const daemon = await startDaemon({ command: process.execPath, args, port })
    return { ...daemon, adminPort, stop: () => daemon.stop().finally(removeFolder) }
  } catch (error) {
    await removeFolder()
    throw error
  }
}

/** `BENCH_NODE_OPTIONS` reaches the proxy alone: `--cpu-prof`, for one. */
function extraNodeOptions(): readonly string[] {
  return process.env['BENCH_NODE_OPTIONS']?.split(' ').filter((option) => option !== '') ?? []
}
