import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { runProgram } from '../support/driver-program.ts'
import { fromEverySeat } from '../support/driver-seats.ts'

const SOURCES = join(import.meta.dirname, 'go')
/** Where Debian's golang-github-*-dev packages put libraries. */
const LIBRARIES = '/usr/share/gocode'

const PGX_MODES = ['prepare', 'describe', 'unnamed', 'simple']
const PGX_CHECKS = [
  'tag in the user',
  'tag in a parameter',
  'tag in options',
  ...PGX_MODES.flatMap((mode) => [
    `queries, ${mode}`,
    `typed parameters, ${mode}`,
    `batch, ${mode}`,
  ]),
  'large values',
  'large values, simple',
  'more statements than the cache holds',
  'savepoint and rollback',
  'errors',
  'a table that changes under its statement',
  'COPY',
  'cancel by context',
  'LISTEN and NOTIFY',
  'temporary tables',
  'settings of the session',
]
const PQ_CHECKS = [
  'tag in the user',
  'tag in a parameter',
  'tag in options',
  'tag in a URL',
  'queries',
  'queries, binary parameters',
  'prepared statements',
  'typed parameters',
  'savepoint and rollback',
  'errors',
  'COPY',
  'large values',
  'cancel by context',
  'LISTEN and NOTIFY',
  'read-only transactions',
  'several statements in one string',
]

const command = await compile()
await fromEverySeat(
  async (t, seat) => {
    for (const [driver, checks] of [
      ['pgx', PGX_CHECKS],
      ['pq', PQ_CHECKS],
    ] as const) {
      await t.test(driver, (t) =>
        runProgram(t, seat, { command, args: [driver], checks, disturbed: 'asked' }),
      )
    }
  },
  { majors: [15] },
)

/** @returns the program's path. */
async function compile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-go-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const program = join(folder, 'drivers')
  const cache = join(homedir(), '.cache', 'pgusher', 'go-build')
  const settings = [`GOPATH=${LIBRARIES}`, 'GO111MODULE=off', 'GOFLAGS=', `GOCACHE=${cache}`]
  const build = ['go', 'build', '-o', program, '.']
  await promisify(execFile)('env', ['CGO_ENABLED=0', ...settings, ...build], { cwd: SOURCES })
  return program
}
