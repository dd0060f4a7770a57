import type { Strategy } from '../../../src/tenancy/tenancy.ts'
import type { Addressed } from '../../support/saas.ts'
import { allCasesOf } from './cases.ts'
import type { RoomPlan } from './room.ts'
import { type RoomReport, runRoom } from './run-room.ts'
import { openTown, pairOf } from './town.ts'

/** A room, and which of all its cases are to run. */
export interface MatrixPart extends Pick<RoomPlan, 'major' | 'mode' | 'level'> {
  readonly strategy: Strategy
  /** Names. @defaultValue all */
  readonly states?: readonly string[]
  /** Names. @defaultValue all */
  readonly ways?: readonly string[]
}

/** Runs a part of the matrix, on a server that `startTownServer` has made. */
export async function runPart(server: Addressed, part: MatrixPart): Promise<RoomReport> {
  const { major, strategy, mode, level, states, ways } = part
  const plan = { major, pair: pairOf(strategy), mode, level }
  const cases = allCasesOf(plan).filter(
    ({ state, way }) =>
      (states?.includes(state.name) ?? true) && (ways?.includes(way.name) ?? true),
  )
  const town = await openTown(server)
  try {
    return await runRoom(town, plan, cases)
  } finally {
    await town.leave()
  }
}
