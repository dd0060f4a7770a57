import t from 'tap'
import {
  moveReplication,
  type ReplicationState,
} from '../../src/session/replication/replication-state.ts'
import { ShutdownError } from '../../src/session/session-errors.ts'

const STATES: readonly ReplicationState[] = [
  { kind: 'open' },
  { kind: 'leaving' },
  { kind: 'stopping', error: new ShutdownError() },
  { kind: 'closed' },
]
/** Each state, and where it may go. */
const MOVES: Readonly<Record<string, readonly string[]>> = {
  open: ['leaving', 'stopping', 'closed'],
  leaving: ['stopping', 'closed'],
  stopping: ['closed'],
  closed: [],
}

for (const from of STATES) {
  for (const to of STATES) {
    const isLegal = MOVES[from.kind]?.includes(to.kind) === true
    t.test(`${from.kind} → ${to.kind} is ${isLegal ? 'legal' : 'a bug'}`, async (t) => {
      if (isLegal) t.equal(moveReplication(from, to), to)
      else t.throws(() => moveReplication(from, to), Error)
    })
  }
}
