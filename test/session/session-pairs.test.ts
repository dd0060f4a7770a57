import t from 'tap'
import { SessionPairs } from '../../src/session/follow/session-pairs.ts'
import { FakeSession } from './follow-fixture.ts'

function spelled(found: Iterable<{ login: string; tenant: string }>): readonly string[] {
  return Array.from(found, ({ login, tenant }) => `${login}.${tenant}`).sort()
}

t.test('sessions are found by tenant and by login', async (t) => {
  const pairs = new SessionPairs()
  const first = new FakeSession('acme', 'ann')
  const second = new FakeSession('acme', 'ann')
  for (const session of [
    first,
    second,
    new FakeSession('acme', 'bob'),
    new FakeSession('b', 'ann'),
  ])
    pairs.add(session)
  t.strictSame(spelled(pairs.all()), ['ann.acme', 'ann.b', 'bob.acme'])
  t.strictSame(spelled(pairs.named({ kind: 'tenant', name: 'acme' })), ['ann.acme', 'bob.acme'])
  t.strictSame(spelled(pairs.named({ kind: 'login', name: 'ann' })), ['ann.acme', 'ann.b'])
  t.strictSame(spelled(pairs.named({ kind: 'login', name: 'acme' })), [])
  t.strictSame([...(pairs.of(first)?.sessions ?? [])], [first, second])
  t.equal(pairs.tenantCount, 2)
  t.equal(pairs.countOf('acme'), 3)
})

t.test('a pair is gone with its last session', async (t) => {
  const pairs = new SessionPairs()
  const sessions = [new FakeSession('acme', 'ann'), new FakeSession('acme', 'ann')]
  for (const session of sessions) pairs.add(session)
  const [first, second] = sessions as [FakeSession, FakeSession]
  pairs.remove(first)
  t.strictSame([...(pairs.of(second)?.sessions ?? [])], [second])
  pairs.remove(second)
  t.equal(pairs.of(second), undefined)
  t.strictSame([...pairs.all()], [])
  t.equal(pairs.tenantCount, 0)
  t.equal(pairs.countOf('acme'), 0)
  t.strictSame([...pairs.named({ kind: 'login', name: 'ann' })], [])
  pairs.remove(second)
})
