import t from 'tap'
import type { Lease } from '../../src/pool/lease.ts'
import { IDLE, isHolding, move, type SessionState } from '../../src/session/session-state.ts'

const lease = {} as Lease
const STATES: readonly SessionState[] = [
  IDLE,
  { kind: 'waiting', requests: [] },
  { kind: 'moving', requests: [], attempt: new AbortController() },
  { kind: 'switching', lease: undefined, requests: [], attempt: new AbortController() },
  { kind: 'crossing', requests: [], attempt: new AbortController() },
  { kind: 'active', lease },
  {
    kind: 'asking',
    lease,
    wanted: { kinds: new Set(), settings: [], customSettings: [] },
    held: [],
  },
  { kind: 'leaving', lease },
  { kind: 'closed' },
]
/** Each state, and where it may go. */
const MOVES: Readonly<Record<string, readonly string[]>> = {
  idle: ['idle', 'waiting', 'moving', 'switching', 'active', 'closed'],
  waiting: ['idle', 'moving', 'active', 'closed'],
  moving: ['idle', 'waiting', 'moving', 'active', 'closed'],
  switching: ['idle', 'crossing', 'active', 'closed'],
  crossing: ['idle', 'active', 'closed'],
  active: ['idle', 'waiting', 'moving', 'switching', 'active', 'asking', 'leaving', 'closed'],
  asking: ['idle', 'active', 'leaving', 'closed'],
  leaving: ['closed'],
  closed: [],
}

for (const from of STATES) {
  for (const to of STATES) {
    const isLegal = MOVES[from.kind]?.includes(to.kind) === true
    t.test(`${from.kind} → ${to.kind} is ${isLegal ? 'legal' : 'a bug'}`, async (t) => {
      if (isLegal) t.equal(move(from, to), to)
      else t.throws(() => move(from, to), Error)
    })
  }
}

t.test('which of them hold a server connection', async (t) => {
  const holding = STATES.filter(isHolding).map(({ kind }) => kind)
  t.strictSame(holding, ['active', 'asking', 'leaving'])
  const attempt = new AbortController()
  t.equal(isHolding({ kind: 'switching', lease, requests: [], attempt }), true)
})
