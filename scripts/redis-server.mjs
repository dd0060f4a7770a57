import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { hasApt, unpackPackages, updatePackageLists, writeWrapper } from './debian-packages.mjs'
import { capture } from './run.mjs'

/** Debian's second package holds the program, the first one its name. */
const PACKAGES = ['redis-server', 'redis-tools']
const CACHE = join(homedir(), '.cache', 'pgusher', 'redis')
const UNPACKED = join(CACHE, 'bin', 'redis-server')

/**
 * The redis-server that tests start: that of REDIS_SERVER_BIN, one on the PATH, or one made from
 * Debian's packages, which are unpacked, since installing them starts a server. Throws when there
 * is none to be had.
 */
export function findRedisServer() {
  const given = process.env.REDIS_SERVER_BIN
  if (given && !answers(given)) throw new Error(`REDIS_SERVER_BIN is no redis-server: ${given}`)
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const places = [...path.map((dir) => join(dir, 'redis-server')), UNPACKED]
  const found = given || places.find(answers) || fetchRedisServer()
  if (found) return found
  throw new Error(
    'Tests need redis-server, and neither this machine nor its Debian packages have it.\n' +
      'Install Redis 7.0 or newer, or name the program in REDIS_SERVER_BIN.',
  )
}

function fetchRedisServer() {
  if (!hasApt()) return undefined
  console.error("Fetching redis-server from Debian's packages")
  updatePackageLists()
  unpackPackages(CACHE, PACKAGES)
  writeWrapper(CACHE, 'usr/bin/redis-server', UNPACKED)
  return answers(UNPACKED) ? UNPACKED : undefined
}

function answers(program) {
  return capture(program, ['--version']) !== undefined
}
