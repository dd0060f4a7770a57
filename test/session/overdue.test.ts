import t from 'tap'
import { Lease } from '../../src/pool/lease.ts'
import { overdueOf } from '../../src/session/overdue.ts'
import { IDLE, isHolding, type SessionState } from '../../src/session/session-state.ts'
import { readyForQuery } from '../../src/wire/backend-messages.ts'
import { DEAF } from '../pool/pool-fixture.ts'
import { commandComplete, FakeServer } from '../support/fake-server.ts'

const TIMEOUTS = { waitMs: 1, idleClientMs: 2, idleInTransactionMs: 3, queryMs: 4 }
const LENDER = { takeBack() {}, giveUp() {} }
const WANTED = { kinds: new Set<never>(), settings: [], customSettings: [] }

/** A lease of a connection that stands like this; `busy` owes a reply. */
function leaseOn(status: 'I' | 'T' | 'E' | 'busy'): Lease {
  const server = new FakeServer()
  const connection = server.connection()
  connection.attach(DEAF)
  connection.owe('query')
  if (status !== 'busy') server.say(commandComplete('X'), readyForQuery(status))
  return new Lease(connection, LENDER)
}

const holding = (kind: 'active' | 'leaving', status: Parameters<typeof leaseOn>[0]) => ({
  kind,
  lease: leaseOn(status),
})

const ROWS: readonly { state: SessionState; expects: object }[] = [
  { state: IDLE, expects: { kind: 'client', error: { code: 'IDLE_CLIENT_TIMEOUT' } } },
  {
    state: { kind: 'waiting', requests: [] },
    expects: { kind: 'client', error: { code: 'CHECKOUT_TIMEOUT' } },
  },
  {
    state: { kind: 'moving', requests: [], attempt: new AbortController() },
    expects: { kind: 'nothing' },
  },
  { state: { kind: 'closed' }, expects: { kind: 'nothing' } },
  { state: holding('active', 'busy'), expects: { kind: 'query' } },
  { state: holding('leaving', 'busy'), expects: { kind: 'query' } },
  {
    state: { kind: 'asking', lease: leaseOn('busy'), wanted: WANTED, held: [] },
    expects: { kind: 'query' },
  },
  {
    state: holding('active', 'I'),
    expects: { kind: 'client', error: { code: 'IDLE_CLIENT_TIMEOUT' } },
  },
  {
    state: holding('active', 'T'),
    expects: { kind: 'client', error: { code: 'IDLE_IN_TRANSACTION_TIMEOUT' } },
  },
  {
    state: holding('active', 'E'),
    expects: { kind: 'client', error: { code: 'IDLE_IN_TRANSACTION_TIMEOUT' } },
  },
]

for (const { state, expects } of ROWS) {
  const status = isHolding(state) ? state.lease.server.transactionStatus : ''
  t.test(`${state.kind} ${status}`, async (t) => {
    t.match(overdueOf(state, TIMEOUTS, false), expects)
  })
}

t.test('a query that was asked to end, and has not', async (t) => {
  const error = { code: 'QUERY_TIMEOUT' }
  t.match(overdueOf(holding('active', 'busy'), TIMEOUTS, true), { kind: 'client', error })
})
