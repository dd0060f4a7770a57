import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { ROOT, runBin } from './run.mjs'

const DIST = join(ROOT, 'dist')
/** What `pgusher` runs; its first line has the options that Node needs. */
const MAIN = join(DIST, 'src/main.js')
const TREES = ['src', 'test', 'bench', 'examples']

/** Compiles everything into a fresh dist/, with the files beside the code (SQL, pages, fixtures). */
export function build() {
  rmSync(DIST, { recursive: true, force: true })
  const exitCode = runBin('tsc', ['-p', 'tsconfig.json'])
  if (exitCode !== 0) return exitCode
  if (existsSync(MAIN)) chmodSync(MAIN, 0o755)
  for (const tree of TREES.filter((tree) => existsSync(join(ROOT, tree)))) {
    cpSync(join(ROOT, tree), join(DIST, tree), {
      recursive: true,
      filter: (path) => !path.endsWith('.ts'),
    })
  }
  return 0
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = build()
