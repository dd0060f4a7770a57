import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
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
  if (capture('apt-get', ['--version']) === undefined) return undefined
  console.error(`Fetching ${TOOLS.join(', ')} from Debian's packages`)
  if (process.getuid?.() === 0) {
    run('apt-get', ['update', '-qq'])
    run(
      'apt-get',
      ['install', '-y', '-qq', '--no-upgrade', '--no-install-recommends', CLIENT_PACKAGE],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      },
    )
  }
  return unpackTools()
}

/** Needs no rights: downloads into the cache and unpacks there, missing libraries as well. */
function unpackTools() {
  mkdirSync(CACHE, { recursive: true })
  const draft = mkdtempSync(`${CACHE}.`)
  const packages = [...missingPackages(), CLIENT_PACKAGE, SERVER_PACKAGE]
  // apt's own download user may not write to our home folder.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  run('apt-get', ['download', '-qq', ...sandbox, ...new Set(packages)], { cwd: draft })
  for (const name of list(draft).filter((name) => name.endsWith('.deb'))) {
    run('dpkg', ['-x', join(draft, name), draft])
    rmSync(join(draft, name))
  }
  rmSync(CACHE, { recursive: true })
  renameSync(draft, CACHE)
  writeWrappers()
  const dir = join(CACHE, 'bin')
  return holdsAll(dir) ? dir : undefined
}

/** What apt would install for the client, by name; nothing when all of it is installed. */
function missingPackages() {
  const plan = capture('apt-get', [
    'install',
    '--print-uris',
    '--no-upgrade',
    '-qq',
    '--no-install-recommends',
    CLIENT_PACKAGE,
  ])
  const files = (plan ?? '').matchAll(/^'\S+' (\S+)_\S+_\S+\.deb /gm)
  return [...files].map(([, name]) => name)
}

/** Shell scripts that add the unpacked libraries to those of the machine. */
function writeWrappers() {
  const libraries = [
    ...list(join(CACHE, 'usr/lib')).map((name) => join(CACHE, 'usr/lib', name)),
    ...list(join(CACHE, 'lib')).map((name) => join(CACHE, 'lib', name)),
  ].filter((dir) => dir.endsWith('-linux-gnu'))
  const prefix = libraries.length > 0 ? `LD_LIBRARY_PATH='${libraries.join(':')}' ` : ''
  mkdirSync(join(CACHE, 'bin'), { recursive: true })
  for (const tool of TOOLS) {
    const program = join(CACHE, 'usr/lib/postgresql', DEBIAN_MAJOR, 'bin', tool)
    const wrapper = join(CACHE, 'bin', tool)
    writeFileSync(wrapper, `#!/bin/sh\n${prefix}exec '${program}' "$@"\n`)
    chmodSync(wrapper, 0o755)
  }
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
