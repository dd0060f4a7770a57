import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { capture, run } from './run.mjs'

/** Whether this machine can fetch Debian's packages. */
export function hasApt() {
  return capture('apt-get', ['--version']) !== undefined
}

/** Brings the lists of packages up to date where that is allowed. */
export function updatePackageLists() {
  if (process.getuid?.() === 0) run('apt-get', ['update', '-qq'])
}

/**
 * Unpacks packages into a folder, together with all that apt would install for the first of them
 * and this machine lacks. Needs no rights, and starts nothing.
 */
export function unpackPackages(folder, packages) {
  mkdirSync(folder, { recursive: true })
  const draft = mkdtempSync(`${folder}.`)
  // apt's own download user may not write to our home folder.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  const wanted = new Set([...missingPackages(packages[0]), ...packages])
  run('apt-get', ['download', '-qq', ...sandbox, ...wanted], { cwd: draft })
  for (const name of list(draft).filter((name) => name.endsWith('.deb'))) {
    run('dpkg', ['-x', join(draft, name), draft])
    rmSync(join(draft, name))
  }
  rmSync(folder, { recursive: true })
  renameSync(draft, folder)
}

/** Writes a shell script that runs an unpacked program with the libraries that came with it. */
export function writeWrapper(folder, program, wrapper) {
  const libraries = ['usr/lib', 'lib']
    .flatMap((parent) => list(join(folder, parent)).map((name) => join(folder, parent, name)))
    .filter((dir) => dir.endsWith('-linux-gnu'))
  const prefix = libraries.length > 0 ? `LD_LIBRARY_PATH='${libraries.join(':')}' ` : ''
  mkdirSync(dirname(wrapper), { recursive: true })
  writeFileSync(wrapper, `#!/bin/sh\n${prefix}exec '${join(folder, program)}' "$@"\n`)
  chmodSync(wrapper, 0o755)
}

/** What apt would install for a package, by name; nothing when all of it is installed. */
function missingPackages(name) {
  const args = ['install', '--simulate', '--no-upgrade', '-qq', '--no-install-recommends', name]
  const plan = capture('apt-get', args) ?? ''
  return [...plan.matchAll(/^Inst (\S+) /gm)].map(([, name]) => name)
}

function list(dir) {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
