import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { npmEnvironment } from './npm-environment.ts'
import { buildOnce, cacheDir } from './postgres-binaries.ts'

const run = promisify(execFile)

/** The Node of the image, as npm has it. */
const VERSION = '24.21.0'

/**
 * A folder with a program `node` of the major that the image has; fetched once a machine from npm.
 * Any user may run it.
 */
export async function findImageNode(): Promise<string> {
  const folder = join(await cacheDir(), `node-${VERSION}`)
  await buildOnce(folder, async (draft) => {
    const name = `node-linux-${process.arch}@${VERSION}`
    const args = ['install', '--prefix', draft, '--no-save', '--ignore-scripts', name]
    await run('npm', args, { env: npmEnvironment() })
    await chmod(draft, 0o755)
  })
  return join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin')
}
