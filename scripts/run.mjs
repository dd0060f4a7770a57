import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json, whatever the current one. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a program with our output as its own. Returns its exit code. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options })
  if (error) console.error(`${command}: ${error.message}`)
  return status ?? 1
}

/** Runs a program of an installed npm package, without npx and its messages. */
export function runBin(name, args) {
  return run(join(ROOT, 'node_modules', '.bin', name), args)
}

/** Runs a program quietly. Returns its output, or undefined when it failed. */
export function capture(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
    ...options,
  })
  return status === 0 ? stdout : undefined
}

/** A file of a package that its `exports` may hide. */
export function packageFile(name, path) {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
  return join(dirname(manifest), path)
}
