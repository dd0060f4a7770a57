import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import { PROTOCOLS, type ProtocolName } from './protocols.ts'
import { isShared, type RoomPlan } from './room.ts'
import type { StateKind } from './state-kind.ts'
import { OBJECTS } from './states-objects.ts'
import { PLACES } from './states-place.ts'
import { SETTINGS } from './states-settings.ts'
import { WAYS_OUT, type WayOut } from './ways-out.ts'

/** One state, made in one protocol and left in one way. */
export interface MatrixCase {
  readonly name: string
  readonly state: StateKind
  readonly protocol: ProtocolName
  readonly way: WayOut
}

/** Levels that tenants of shared servers are tried at. */
export const LEVELS: readonly IsolationLevel[] = ['convenience', 'guarded', 'sealed']

export const MAJORS = [15, 18] as const

export const STATES: readonly StateKind[] = [...SETTINGS, ...PLACES, ...OBJECTS]

/** Where no server connection is ever shared, one case of so many is tried. */
const UNSHARED_SHARE = 24

/**
 * The cases of a room: a share of all that there could be, such that over all levels and majors of
 * a strategy nothing is left out where server connections are shared. What the level makes a
 * difference for is tried at every level.
 */
export function casesOf(plan: RoomPlan): readonly MatrixCase[] {
  return allCasesOf(plan).filter((one) => isOfRoom(one, plan))
}

/** All cases that there could be. */
export function allCasesOf(plan: RoomPlan): readonly MatrixCase[] {
  const { strategy } = plan.pair
  const states = STATES.filter(({ strategies }) => strategies?.includes(strategy) ?? true)
  // By their ways: some need a proxy of another kind.
  return waysOf(plan).flatMap((way) =>
    states
      .filter((state, index) => fits(state, way) && index % (way.share ?? 1) === 0)
      .flatMap((state) =>
        protocolsOf(state, way).map((protocol) => matrixCase(state, protocol, way)),
      ),
  )
}

export function waysOf(plan: RoomPlan): readonly WayOut[] {
  return WAYS_OUT.filter(
    ({ modes, endsProxy }) =>
      (modes?.includes(plan.mode) ?? true) && (!endsProxy || isShared(plan)),
  )
}

function matrixCase(state: StateKind, protocol: ProtocolName, way: WayOut): MatrixCase {
  return { name: `${state.name}, ${protocol}, ${way.name}`, state, protocol, way }
}

function fits(state: StateKind, way: WayOut): boolean {
  // What is refused at the login never comes to another way out.
  if (state.isLoginRefused) return way.name === 'no transaction'
  if (state.isIndelible && way.discards) return false
  return !(state.isAlone && way.isInTransaction)
}

function protocolsOf(state: StateKind, way: WayOut): readonly ProtocolName[] {
  return PROTOCOLS.filter(
    (protocol) =>
      (state.protocols?.includes(protocol) ?? true) && (way.protocols?.includes(protocol) ?? true),
  )
}

function isOfRoom({ name, state }: MatrixCase, plan: RoomPlan): boolean {
  const major = MAJORS.indexOf(plan.major)
  const number = numberOf(name)
  if (!isShared(plan)) {
    const room = LEVELS.indexOf(plan.level) * MAJORS.length + major
    return number % UNSHARED_SHARE === room
  }
  if (isAboutLevels(state)) return number % MAJORS.length === major
  const levels = LEVELS.filter((level) => isShared({ ...plan, level }))
  const room = levels.indexOf(plan.level) * MAJORS.length + major
  return number % (levels.length * MAJORS.length) === room
}

function isAboutLevels(state: StateKind): boolean {
  const { refusedFrom, destroyedFrom, reachesUntil } = state
  return (refusedFrom ?? destroyedFrom ?? reachesUntil) !== undefined
}

/** A number that is always the same for a name, and else as good as any. */
function numberOf(name: string): number {
  let number = 0x811c9dc5
  for (const byte of Buffer.from(name)) number = Math.imul(number ^ byte, 0x01000193) >>> 0
  // The lowest bits of this sum are those of the last bytes.
  return (number ^ (number >>> 15)) >>> 0
}
