import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { capture, run } from './run.mjs'

const PYTHON = '/usr/lib/python3/dist-packages'
const GO = '/usr/share/gocode/src/github.com'

/** Debian's packages that tests run, each with a file or a program that it brings. */
const PACKAGES = {
  'python3-psycopg2': join(PYTHON, 'psycopg2'),
  'python3-psycopg': join(PYTHON, 'psycopg'),
  'python3-asyncpg': join(PYTHON, 'asyncpg'),
  'python3-sqlalchemy': join(PYTHON, 'sqlalchemy'),
  'libpostgresql-jdbc-java': '/usr/share/java/postgresql.jar',
  'default-jdk-headless': 'javac',
  'golang-github-jackc-pgx-v4-dev': join(GO, 'jackc/pgx/v4'),
  'golang-github-lib-pq-dev': join(GO, 'lib/pq'),
  'golang-go': 'go',
  openssl: 'openssl',
  prometheus: 'promtool',
  chromium: '/usr/bin/chromium',
  'fonts-dejavu-core': '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
  pgbouncer: '/usr/sbin/pgbouncer',
  'prometheus-pgbouncer-exporter': '/usr/bin/prometheus-pgbouncer-exporter',
}

/**
 * Installs what tests need of them and this machine lacks; that takes root and Debian's apt-get.
 * Throws when something is still missing.
 */
function installDriverPackages() {
  const missing = missingPackages()
  const mayInstall = process.getuid?.() === 0 && capture('apt-get', ['--version']) !== undefined
  if (missing.length > 0 && mayInstall) install(missing)
  requireDriverPackages()
}

/** Throws, and says what to do, when one of them is missing. */
export function requireDriverPackages() {
  const missing = missingPackages()
  if (missing.length === 0) return
  throw new Error(
    `Tests in test/drivers and test/prometheus need Debian's ${missing.join(', ')}.\n` +
      `Run, as root: apt-get update && apt-get install --no-install-recommends ${missing.join(' ')}`,
  )
}

function missingPackages() {
  return Object.keys(PACKAGES).filter((name) => !isThere(PACKAGES[name]))
}

function isThere(fileOrProgram) {
  if (fileOrProgram.startsWith('/')) return existsSync(fileOrProgram)
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return folders.some((folder) => isExecutable(join(folder, fileOrProgram)))
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function install(packages) {
  console.error(`Installing ${packages.join(', ')}`)
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  run('apt-get', ['update', '-qq'], options)
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options)
}

function main() {
  try {
    installDriverPackages()
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main()
