import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { runProgram } from '../support/driver-program.ts'
import { fromEverySeat } from '../support/driver-seats.ts'

/** Where Debian's libpostgresql-jdbc-java puts the driver. */
const DRIVER = '/usr/share/java/postgresql.jar'
const SOURCES = join(import.meta.dirname, 'java')

const CHECKS = [
  'tag in the user',
  'tag in options',
  'simple query mode',
  'typed parameters',
  'typed parameters in binary',
  'savepoint and rollback',
  'error in the middle of a transaction',
  'batch',
  'rewritten batch',
  'error in the middle of a batch',
  'large values',
  'COPY',
  'cancel',
  'query timeout',
  'several statements in one string',
  'large objects by function call',
  'prepared statements past the threshold',
  'prepared statements from the first execution, in binary',
  'prepared statements in transactions',
  'autosave=always',
  "more statements than the driver's cache holds",
  'an error in a prepared statement',
  'a table that changes under its statement',
  'a table that changes under its statement, in transactions',
  'DISCARD ALL and DEALLOCATE ALL',
  'fetch size',
  'read-only transactions',
  'read-only session',
  'setTransactionIsolation',
  'setSchema',
  'setClientInfo',
  'temporary tables',
  'LISTEN and NOTIFY',
  'session advisory locks',
  'settings of the driver stay',
]

const classes = await compile()
await fromEverySeat(
  async (t, seat) => {
    const args = ['-XX:TieredStopAtLevel=1', '-cp', `${classes}:${DRIVER}`, 'Pgjdbc']
    await runProgram(t, seat, { command: 'java', args, checks: CHECKS, disturbed: 'asked' })
  },
  { majors: [18] },
)

/** @returns the folder of the compiled classes. */
async function compile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pgusher-jdbc-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const names = await readdir(SOURCES)
  const sources = names.filter((name) => name.endsWith('.java')).map((name) => join(SOURCES, name))
  const options = ['-Xlint:all', '-Werror', '-d', folder, '-cp', DRIVER]
  await promisify(execFile)('javac', [...options, ...sources])
  return folder
}
