import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { delimiter, join, relative, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { build } from './build.mjs'
import { reportCoverage } from './coverage.mjs'
import { requireDriverPackages } from './driver-packages.mjs'
import { findHelm } from './helm.mjs'
import { findRedisServer } from './redis-server.mjs'
import { packageFile, ROOT } from './run.mjs'
import { TapOutput } from './tap-output.mjs'
import { findTestTools } from './test-tools.mjs'

const TAP = join(ROOT, 'node_modules', '.bin', 'tap')

const output = new TapOutput()
const startedMs = performance.now()
process.exitCode = await test(process.argv.slice(2))
console.log(`tests took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
console.log(output.summary())

/** Compiles and runs the given tests, or all of them. Returns the exit code. */
async function test(files) {
  const tools = tryFindTools(files)
  if (!tools || build() !== 0) return 1
  const env = testEnvironment(tools)
  if (isTapOutOfDate() && (await runTap(['build'], env)) !== 0) return 1
  rmSync(join(ROOT, '.tap', 'report'), { recursive: true, force: true })
  const compiled = files.map(compiledPath)
  const exitCode = await runTap(['run', '--reporter=tap', ...compiled], env)
  printUncounted()
  if (!output.counts) console.error('tap ended without its counts')
  if (exitCode !== 0 || !output.counts) return exitCode || 1
  return files.length > 0 || isCoveredEnough() ? 0 : 1
}

function tryFindTools(files) {
  try {
    if (files.length === 0 || files.some(needsDriverPackages)) requireDriverPackages()
    return { dir: findTestTools(), redisServer: findRedisServer(), helm: findHelm() }
  } catch (error) {
    console.error(error.message)
    return undefined
  }
}

function needsDriverPackages(file) {
  return ['drivers', 'prometheus'].some((room) => resolve(file).includes(join('test', room)))
}

function testEnvironment({ dir, redisServer, helm }) {
  const path = [dir, process.env.PATH].join(delimiter)
  // A colour or a TAP=1 of the caller would change the output that is read here.
  const { TAP: _, FORCE_COLOR: __, ...inherited } = process.env
  const programs = { PGUSHER_TEST_BIN: dir, REDIS_SERVER_BIN: redisServer, HELM_BIN: helm }
  return { ...inherited, ...programs, PATH: path }
}

/** tap's Test class is generated, with the plugins of the last `tap build` compiled into it. */
function isTapOutOfDate() {
  const built = packageFile('@tapjs/test', 'test-built/dist/esm/index.js')
  return readFileSync(built, 'utf8').includes('Plugin_typescript')
}

async function runTap(args, env) {
  const child = spawn(TAP, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) output.read(line)
  const [exitCode] = await ended
  return exitCode ?? 1
}

function compiledPath(file) {
  const source = relative(ROOT, resolve(file))
  return join('dist', source.replace(/^dist\//, '').replace(/\.ts$/, '.js'))
}

function printUncounted() {
  const { skip = 0, todo = 0 } = output.counts ?? {}
  if (skip + todo > 0) console.log(`${skip} skipped, ${todo} to do: neither passed nor failed`)
}

function isCoveredEnough() {
  const { pgusher } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const covered = reportCoverage()
  if (covered >= pgusher.minimumLineCoverage) return true
  console.error(`Line coverage is below the ${pgusher.minimumLineCoverage} % of package.json`)
  return false
}
