import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { Strategy } from '../../../src/tenancy/tenancy.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import type { PoolMode } from './pair.ts'
import type { RoomPlan } from './room.ts'
import { pairOf } from './town.ts'

const MODES: readonly PoolMode[] = ['transaction', 'session']

/** The rooms of a strategy, one of each pool mode. `database` is sealed by nature. */
export function roomsOf(
  major: PostgresMajor,
  strategy: Strategy,
  level: IsolationLevel,
): readonly RoomPlan[] {
  return MODES.map((mode) => ({ major, pair: pairOf(strategy), mode, level }))
}
