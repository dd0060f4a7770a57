import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import type { PoolMode } from './pair.ts'
import type { RoomPlan } from './room.ts'
import { SHARED } from './state-kind.ts'
import { pairOf } from './town.ts'

const MODES: readonly PoolMode[] = ['transaction', 'session']

/** The rooms of a level; `database`: of the tenants that are sealed by nature. */
export function roomsOf(
  major: PostgresMajor,
  level: IsolationLevel | 'database',
): readonly RoomPlan[] {
  if (level === 'database') {
    return MODES.map((mode) => ({ major, pair: pairOf('database'), mode, level: 'sealed' }))
  }
  return SHARED.flatMap((strategy) =>
    MODES.map((mode) => ({ major, pair: pairOf(strategy), mode, level })),
  )
}
