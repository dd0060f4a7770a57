// Reads dist/src: with TypeScript 7 there is no compiler API to read .ts with.
// Type-only imports are gone there; scripts/check-rooms.mjs looks at those.
import {
  CONFIG_READERS,
  LIBRARY_OWNERS,
  ROOMS,
  roomPattern,
  SOCKET_OWNERS,
} from './scripts/rooms.mjs'

const ROOT = 'dist/src'
const patterns = (rooms) => rooms.map((room) => roomPattern(ROOT, room))

const downOnly = ROOMS.slice(1).map((room, index) => ({
  name: `${room}-imports-down-only`,
  severity: 'error',
  from: { path: roomPattern(ROOT, room) },
  to: { path: patterns(ROOMS.slice(0, index + 1)) },
}))

const ownedBy = (name, rooms, path) => ({
  name: `only-${rooms.join('-')}-uses-${name}`,
  severity: 'error',
  from: { path: `^${ROOT}/`, pathNot: patterns(rooms) },
  to: { path },
})
const libraries = Object.entries(LIBRARY_OWNERS).map(([name, rooms]) =>
  ownedBy(name, rooms, `(^|/)node_modules/${name}/`),
)
const sockets = Object.entries(SOCKET_OWNERS).map(([name, rooms]) =>
  ownedBy(name, rooms, `^(node:)?${name}$`),
)

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'every-file-in-a-room',
      severity: 'error',
      from: {},
      to: { path: `^${ROOT}/`, pathNot: patterns(ROOMS) },
    },
    {
      name: 'config-is-handed-down',
      severity: 'error',
      from: { path: `^${ROOT}/`, pathNot: patterns(CONFIG_READERS) },
      to: { path: roomPattern(ROOT, 'config') },
    },
    ...downOnly,
    ...libraries,
    ...sockets,
  ],
  options: { doNotFollow: { path: 'node_modules' }, moduleSystems: ['es6', 'cjs'] },
}
