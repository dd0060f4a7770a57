import process from 'node:process'
import { build } from './build.mjs'
import { run, runBin } from './run.mjs'

const script = (name) => () => run(process.execPath, [`scripts/${name}.mjs`])

const COLORS = process.stdout.isTTY ? 'force' : 'off'

/** Cheapest first. The tests are last, so that their counts are the last line. */
const STEPS = [
  ['biome', () => runBin('biome', ['ci', `--colors=${COLORS}`, '.'])],
  ['types', build],
  ['rooms', script('check-rooms')],
  ['knip', () => runBin('knip', ['--no-progress'])],
  ['docs', script('check-docs')],
  ['tests', script('test')],
]

process.exitCode = runSteps()

function runSteps() {
  for (const [name, step] of STEPS) {
    console.log(`== ${name}`)
    const startedMs = performance.now()
    const exitCode = step()
    if (name === 'tests') return exitCode
    console.log(`== ${name}: ${exitCode === 0 ? 'ok' : 'FAILED'}, ${secondsSince(startedMs)} s`)
    if (exitCode !== 0) return stopBeforeTests(exitCode)
  }
  return 0
}

/** CI reads counts off the last line, also when there are none. */
function stopBeforeTests(exitCode) {
  console.log('0 passed, 0 failed')
  return exitCode
}

function secondsSince(startedMs) {
  return ((performance.now() - startedMs) / 1000).toFixed(1)
}
