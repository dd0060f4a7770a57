import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import process from 'node:process'
import { CONFIG_READERS, LIBRARY_OWNERS, ROOMS, roomOf } from './rooms.mjs'
import { ROOT } from './run.mjs'

const SPECIFIER =
  /^\s*(?:import|export)\b(?:[\w\s{},*$]*?\bfrom)?\s*'([^']+)'|\bimport\('([^']+)'\)/gm

const faults = [...sourceFaults(), ...compiledFaults()]
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0

/** What the .ts files say, types included: order of rooms and owners of libraries. */
function sourceFaults() {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true })
    .map((name) => `src/${name}`)
    .filter((name) => name.endsWith('.ts'))
  const homeless = files.filter((file) => !roomOf(file)).map((file) => `${file}: in no room`)
  if (files.length === 0) return ['src/ holds no .ts files']
  return [...homeless, ...files.filter(roomOf).flatMap(importFaults)]
}

function importFaults(file) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(SPECIFIER)]
    .map(([, imported, dynamic]) => imported ?? dynamic)
    .map((specifier) => importFault(file, specifier))
    .filter((fault) => fault !== undefined)
}

function importFault(file, specifier) {
  const room = roomOf(file)
  const fault = specifier.startsWith('.')
    ? roomFault(room, posix.join(posix.dirname(file), specifier))
    : ownerFault(room, specifier)
  return fault && `${file}: ${fault}`
}

function roomFault(room, target) {
  const targetRoom = roomOf(target)
  if (targetRoom === undefined) return `imports ${target}, which is in no room of src/`
  if (ROOMS.indexOf(targetRoom) < ROOMS.indexOf(room)) return `imports ${target}, a room above it`
  const isConfig = targetRoom === 'config' && !CONFIG_READERS.includes(room)
  return isConfig ? `imports ${target}; options are handed down` : undefined
}

function ownerFault(room, specifier) {
  const library = Object.keys(LIBRARY_OWNERS).find(
    (name) => specifier === name || specifier.startsWith(`${name}/`),
  )
  if (library === undefined || LIBRARY_OWNERS[library].includes(room)) return undefined
  return `imports ${library}, which belongs to ${LIBRARY_OWNERS[library].join(', ')}`
}

/** What dependency-cruiser finds in dist/src: the same and cycles, sockets, missing modules. */
function compiledFaults() {
  const { stdout, stderr } = spawnSync(
    join(ROOT, 'node_modules', '.bin', 'depcruise'),
    ['--config', '.dependency-cruiser.mjs', '--output-type', 'json', 'dist/src'],
    { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  if (!stdout) return [`dependency-cruiser said nothing: ${stderr}`]
  const { modules, summary } = JSON.parse(stdout)
  const own = modules.filter(({ source }) => source.startsWith('dist/src/'))
  // Finding nothing to read counts as success for it, and must not for us.
  if (own.length === 0) return ['dependency-cruiser read no modules of dist/src']
  console.log(`${own.length} modules, ${summary.totalDependenciesCruised} imports`)
  return summary.violations
    .filter(({ rule }) => rule.severity === 'error')
    .map(({ rule, from, to }) => `${from} -> ${to}: ${rule.name}`)
}
