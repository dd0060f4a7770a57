import t from 'tap'
import { allCasesOf, casesOf, LEVELS, MAJORS, STATES } from './matrix/cases.ts'
import { PROTOCOLS } from './matrix/protocols.ts'
import { roomsOf } from './matrix/rooms-of.ts'
import { pairOf } from './matrix/town.ts'
import { WAYS_OUT } from './matrix/ways-out.ts'

/** What the matrix has grown to; it must not shrink unseen. */
const LEAST = { cases: 8_000, states: 60, ways: 18 }

const ROOMS = MAJORS.flatMap((major) =>
  [...LEVELS, 'database' as const].flatMap((level) => roomsOf(major, level)),
)

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
  for (const mode of ['transaction', 'session'] as const) {
    const names = allCasesOf({ pair: pairOf('row'), mode }).map(({ name }) => name)
    t.equal(new Set(names).size, names.length, mode)
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

t.test('in every room each protocol and each way out is tried', async (t) => {
  for (const plan of ROOMS) {
    const cases = casesOf(plan)
    for (const protocol of PROTOCOLS) {
      t.ok(
        cases.some((one) => one.protocol === protocol),
        `${plan.pair.strategy}: ${protocol}`,
      )
    }
    const ways = WAYS_OUT.filter(({ modes }) => modes?.includes(plan.mode) ?? true)
    for (const way of ways) {
      t.ok(
        cases.some((one) => one.way === way),
        `${plan.pair.strategy}: ${way.name}`,
      )
    }
  }
})
