import { accessSync, constants, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { hasApt, unpackPackages, updatePackageLists, writeWrapper } from './debian-packages.mjs'
import { capture, run } from './run.mjs'

/** Programs that tests and benches run and npm has no package of. */
const TOOLS = [
  'psql',
  'pg_dump',
  'pg_restore',
  'pgbench',
  'pg_basebackup',
  'pg_receivewal',
  'pg_recvlogical',
]
const DEBIAN_MAJOR = '15'
const CLIENT_PACKAGE = `postgresql-client-${DEBIAN_MAJOR}`
/** Debian puts pgbench beside the server; it is unpacked, since installing it starts a server. */
const SERVER_PACKAGE = `postgresql-${DEBIAN_MAJOR}`
const CACHE = join(homedir(), '.cache', 'pgusher', `postgresql-${DEBIAN_MAJOR}`)

/**
 * A folder that holds all TOOLS: one that the machine has, else one made from Debian's packages.
 * Throws when there is none to be had.
 */
export function findTestTools() {
  const found = installedDirs().find(holdsAll) ?? fetchTools()
  if (found) return found
  throw new Error(
    `Tests need ${TOOLS.join(', ')}, and neither this machine nor its Debian packages have them.\n` +
      `Install ${SERVER_PACKAGE} and ${CLIENT_PACKAGE} (or newer), or put all of them on the PATH.`,
  )
}

function installedDirs() {
  const debian = '/usr/lib/postgresql'
  const majors = list(debian).sort((a, b) => Number(b) - Number(a))
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return [...majors.map((major) => join(debian, major, 'bin')), join(CACHE, 'bin'), ...path]
}

function fetchTools() {
  if (!hasApt()) return undefined
  console.error(`Fetching ${TOOLS.join(', ')} from Debian's packages`)
  updatePackageLists()
  if (process.getuid?.() === 0) {
    run(
      'apt-get',
      ['install', '-y', '-qq', '--no-upgrade', '--no-install-recommends', CLIENT_PACKAGE],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      },
    )
  }
  unpackPackages(CACHE, [CLIENT_PACKAGE, SERVER_PACKAGE])
  const dir = join(CACHE, 'bin')
  for (const tool of TOOLS) {
    const program = join('usr/lib/postgresql', DEBIAN_MAJOR, 'bin', tool)
    writeWrapper(CACHE, program, join(dir, tool))
  }
  return holdsAll(dir) ? dir : undefined
}

/** Whether each tool is there and runs: Debian's wrappers exist without what they wrap. */
function holdsAll(dir) {
  return TOOLS.every((tool) => isExecutable(join(dir, tool)) && answers(join(dir, tool)))
}

function answers(program) {
  return capture(program, ['--version']) !== undefined
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function list(dir) {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
