import t from 'tap'
import type { Lease } from '../../src/pool/lease.ts'
import { IDLE, move, type SessionState } from '../../src/session/session-state.ts'

const lease = {} as Lease
const STATES: readonly SessionState[] = [
  IDLE,
  { kind: 'waiting', requests: [] },
  { kind: 'moving', requests: [], attempt: new AbortController() },
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
  idle: ['idle', 'waiting', 'moving', 'active', 'closed'],
  waiting: ['idle', 'moving', 'active', 'closed'],
  moving: ['idle', 'waiting', 'moving', 'active', 'closed'],
  active: ['idle', 'waiting', 'moving', 'active', 'asking', 'leaving', 'closed'],
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
