/**
 * The rooms of src/, each of which imports only what stands below it here. `main` and `proxy` are
 * files: what would make one too long stands beside it, as in proxy-catalog.
 */
export const ROOMS = [
  'main',
  'cli',
  'proxy',
  'config',
  'admin',
  'telemetry',
  'lifecycle',
  'listener',
  'session',
  'auth',
  'cancel',
  'relay',
  'pool',
  'server',
  'limits',
  'catalog',
  'tenancy',
  'sql',
  'wire',
  'base',
]

const SINGLE_FILES = ['main', 'proxy']

/** Options flow down as arguments: nobody below may read the configuration for itself. */
export const CONFIG_READERS = ['main', 'cli', 'proxy', 'config']

/** The rooms that may know a library, so that each can be replaced in one place. */
export const LIBRARY_OWNERS = {
  'prom-client': ['telemetry'],
  pino: ['telemetry'],
  ioredis: ['catalog', 'cancel', 'limits'],
  pg: ['auth', 'catalog', 'lifecycle'],
  zod: ['config', 'catalog'],
  yaml: ['config'],
}

/** The rooms that may open sockets. The types of these modules are free to all. */
export const SOCKET_OWNERS = {
  net: ['listener', 'session', 'server'],
  tls: ['config', 'listener', 'session', 'server'],
  http: ['admin'],
}

/** A pattern of the files of one room, below `root` (`src` or `dist/src`). */
export function roomPattern(root, room) {
  return SINGLE_FILES.includes(room) ? `^${root}/${room}[a-z-]*\\.[jt]s$` : `^${root}/${room}/`
}

/** The room of a path below src/; undefined for a file that stands outside of all rooms. */
export function roomOf(path) {
  return ROOMS.find((room) => new RegExp(roomPattern('src', room)).test(path))
}
