import t from 'tap'
import { allCasesOf, casesOf, LEVELS, MAJORS, STATES, waysOf } from './matrix/cases.ts'
import { PROTOCOLS } from './matrix/protocols.ts'
import { isShared } from './matrix/room.ts'
import { roomsOf } from './matrix/rooms-of.ts'
import { SHARED } from './matrix/state-kind.ts'
import { WAYS_OUT } from './matrix/ways-out.ts'

/** What the matrix has grown to; it must not shrink unseen. */
const LEAST = { cases: 11_000, states: 72, ways: 19 }

const ROOMS = MAJORS.flatMap((major) => [
  ...roomsOf(major, 'database', 'sealed'),
  ...LEVELS.flatMap((level) => SHARED.flatMap((strategy) => roomsOf(major, strategy, level))),
])

t.test('the matrix is as large as it was', async (t) => {
  const cases = ROOMS.map((plan) => casesOf(plan).length).reduce((sum, count) => sum + count)
  t.comment(
    `${cases} cases of ${STATES.length} states, ${WAYS_OUT.length} ways out, ${ROOMS.length} rooms`,
  )
  t.ok(cases >= LEAST.cases, `${cases} cases`)
  t.ok(STATES.length >= LEAST.states, `${STATES.length} kinds of state`)
  t.ok(WAYS_OUT.length >= LEAST.ways, `${WAYS_OUT.length} ways out`)
})

t.test('no two cases have one name', async (t) => {
  for (const plan of ROOMS) {
    const names = allCasesOf(plan).map(({ name }) => name)
    t.equal(new Set(names).size, names.length)
  }
})

t.test('where tenants share a server connection, each case is tried', async (t) => {
  const shared = ROOMS.filter(
    ({ pair, mode }) => pair.strategy !== 'database' && mode !== 'session',
  )
  for (const strategy of ['schema', 'row'] as const) {
    const rooms = shared.filter(({ pair }) => pair.strategy === strategy)
    const [room] = rooms
    if (room === undefined) throw new Error(`no room of ${strategy}`)
    const tried = new Set(rooms.flatMap((plan) => casesOf(plan).map(({ name }) => name)))
    const left = allCasesOf(room).filter(({ name }) => !tried.has(name))
    t.strictSame(left, [], strategy)
  }
})

t.test('in each of their rooms each protocol and each way out is tried', async (t) => {
  for (const plan of ROOMS.filter(isShared)) {
    const cases = casesOf(plan)
    const name = `Postgres ${plan.major}, ${plan.pair.strategy}, ${plan.level}`
    const protocols = new Set(cases.map(({ protocol }) => protocol))
    const ways = new Set(cases.map(({ way }) => way))
    t.strictSame([...protocols].sort(), [...PROTOCOLS].sort(), name)
    t.equal(ways.size, waysOf(plan).length, `${name}: ways out`)
  }
})
