import t, { type Test } from 'tap'
import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { Strategy } from '../../../src/tenancy/tenancy.ts'
import type { PostgresMajor } from '../../support/postgres-binaries.ts'
import { casesOf, STATES } from './cases.ts'
import { has } from './pair.ts'
import { isShared, type RoomPlan } from './room.ts'
import { roomsOf } from './rooms-of.ts'
import { type RoomReport, runRoom } from './run-room.ts'
import { openTown, startTownServer, type Town } from './town.ts'

/** Least share of the cases that ran on one server connection, of those that could. */
const LEAST_KEPT = 0.9

/** Makes a subtest of each room; see `roomsOf`. */
export async function testRooms(
  major: PostgresMajor,
  strategy: Strategy,
  level: IsolationLevel,
): Promise<void> {
  const server = await startTownServer(major, level === 'sealed')
  t.teardown(() => server.stop())
  const town = await openTown(server)
  t.teardown(() => town.leave())
  for (const plan of roomsOf(major, strategy, level)) {
    await t.test(`${plan.mode} mode`, (t) => testRoom(t, town, plan))
  }
}

async function testRoom(t: Test, town: Town, plan: RoomPlan): Promise<void> {
  const cases = casesOf(plan)
  const report = await runRoom(town, plan, cases)
  t.comment(`${report.cases} cases, ${report.reused} of them on one server connection`)
  t.equal(report.cases, cases.length, 'all cases have run')
  t.strictSame(report.failures, [], 'nothing is left, and nobody is reached')
  if (!isShared(plan)) {
    t.equal(report.reused, 0, 'no server connection is shared')
    return
  }
  t.ok(report.kept >= report.keepable * LEAST_KEPT, 'it is one server connection', { ...report })
  t.strictSame(unreached(report, plan), [], 'what leads away does, below the level that stops it')
}

/** States that should have shown the first tenant rows of the second, and never did. */
function unreached({ reached }: RoomReport, { pair, level }: RoomPlan): readonly string[] {
  const leadAway = STATES.filter(
    ({ reachesUntil, strategies }) =>
      reachesUntil !== undefined &&
      !has(level, reachesUntil) &&
      (strategies?.includes(pair.strategy) ?? true),
  )
  return leadAway.map(({ name }) => name).filter((name) => !reached.includes(name))
}
