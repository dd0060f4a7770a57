import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { ROOT, runBin } from './run.mjs'

const DIST = join(ROOT, 'dist')
/** What `pgusher` runs; its first line has the options that Node needs. */
const MAIN = join(DIST, 'src/main.js')
const EVERYTHING = {
  project: 'tsconfig.json',
  trees: ['src', 'test', 'bench', 'examples', 'monitoring'],
}
const PROGRAM = { project: 'tsconfig.src.json', trees: ['src'] }

/**
 * Compiles everything, or the program alone, into a fresh dist/, with the files beside the code
 * (SQL, pages, fixtures).
 */
export function build({ project, trees } = EVERYTHING) {
  rmSync(DIST, { recursive: true, force: true })
  const exitCode = runBin('tsc', ['-p', project])
  if (exitCode !== 0) return exitCode
  if (existsSync(MAIN)) chmodSync(MAIN, 0o755)
  for (const tree of trees.filter((tree) => existsSync(join(ROOT, tree)))) {
    cpSync(join(ROOT, tree), join(DIST, tree), {
      recursive: true,
      filter: (path) => !path.endsWith('.ts'),
    })
  }
  return 0
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = build(process.argv.includes('--program') ? PROGRAM : EVERYTHING)
}
