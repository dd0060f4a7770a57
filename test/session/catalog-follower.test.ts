import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { silentLogger } from '../../src/base/logger.ts'
import type { RefusalReason, Resolution } from '../../src/catalog/catalog.ts'
import type { CatalogChange } from '../../src/catalog/change.ts'
import type { Route } from '../../src/catalog/route.ts'
import { CatalogFollower } from '../../src/session/follow/catalog-follower.ts'
import { SessionPairs } from '../../src/session/follow/session-pairs.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeSession, SlowCatalog } from './follow-fixture.ts'

const TTL_MS = 30_000
const ALL: CatalogChange = { kind: 'all', version: undefined }
const SECRET = { kind: 'md5', hash: 'one' } as const
const OTHER_SECRET = { kind: 'md5', hash: 'two' } as const

function about(kind: 'tenant' | 'login', name: string): CatalogChange {
  return { kind: 'name', name: { kind, name }, version: 7 }
}

function routeOf(version: number): Route {
  return { version } as unknown as Route
}

function leads(version: number): Resolution {
  return { kind: 'route', route: routeOf(version), secret: { kind: 'none' }, isSuspended: false }
}

function refuses(reason: RefusalReason): Resolution {
  return { kind: 'refused', reason, secret: undefined }
}

function rig() {
  const clock = new FakeClock()
  const catalog = new SlowCatalog()
  const pairs = new SessionPairs()
  const follower = new CatalogFollower({
    catalog,
    pairs,
    pools: { lastRoutes: () => [], settle() {} },
    clock,
    logger: silentLogger,
    ttlMs: () => TTL_MS,
    random: () => 1,
  })
  const open = (...sessions: readonly FakeSession[]) => {
    for (const session of sessions) pairs.add(session)
  }
  return { clock, catalog, pairs, follower, open }
}

t.test('the sessions of a changed tenant are told, once resolved for all', async (t) => {
  const { catalog, follower, open } = rig()
  const [one, two, other] = [new FakeSession('acme'), new FakeSession('acme'), new FakeSession('b')]
  open(one, two, other)
  follower.heard(about('tenant', 'acme'))
  t.strictSame(catalog.takeAsked(), ['app.acme'])
  catalog.answers(leads(2))
  await turn()
  t.strictSame([one.told, two.told, other.told], [[routeOf(2)], [routeOf(2)], []])
})

t.test('a changed login, and everything', async (t) => {
  const { catalog, follower, open } = rig()
  open(new FakeSession('acme', 'ann'), new FakeSession('acme', 'bob'), new FakeSession('b', 'ann'))
  follower.heard(about('login', 'ann'))
  t.strictSame(catalog.takeAsked(), ['ann.acme', 'ann.b'])
  catalog.answers(leads(1))
  catalog.answers(leads(1))
  await turn()
  follower.heard(ALL)
  t.strictSame(catalog.takeAsked(), ['ann.acme', 'bob.acme', 'ann.b'])
})

for (const [resolution, code] of [
  [refuses('unknownTenant'), 'SESSION_REVOKED'],
  [refuses('unknownLogin'), 'SESSION_REVOKED'],
  [refuses('notGranted'), 'SESSION_REVOKED'],
  [{ ...leads(1), isSuspended: true } as Resolution, 'SESSION_SUSPENDED'],
] as const) {
  t.test(`${code} for ${JSON.stringify(resolution)}`, async (t) => {
    const { catalog, follower, open } = rig()
    const session = new FakeSession('acme')
    open(session)
    follower.heard(ALL)
    catalog.answers(resolution)
    await turn()
    t.strictSame(session.told, [code])
  })
}

t.test('a broken record sends nobody away', async (t) => {
  const { catalog, follower, open } = rig()
  const session = new FakeSession('acme')
  open(session)
  follower.heard(ALL)
  catalog.answers(refuses('brokenRecord'))
  await turn()
  t.strictSame(session.told, [])
})

t.test('a password is compared with that of each login', async (t) => {
  const { catalog, follower, open } = rig()
  const old = new FakeSession('acme', 'app', { method: 'md5', secret: SECRET })
  const fresh = new FakeSession('acme', 'app', { method: 'md5', secret: { ...OTHER_SECRET } })
  open(old, fresh)
  follower.heard(about('login', 'app'))
  catalog.answers({ kind: 'route', route: routeOf(1), secret: OTHER_SECRET, isSuspended: false })
  await turn()
  t.strictSame([old.told, fresh.told], [['SESSION_REVOKED'], [routeOf(1)]])
})

t.test('a change during a lookup is not lost', async (t) => {
  const { catalog, follower, open } = rig()
  const session = new FakeSession('acme')
  open(session)
  follower.heard(about('tenant', 'acme'))
  follower.heard(about('tenant', 'acme'))
  follower.heard(about('tenant', 'acme'))
  t.strictSame(catalog.takeAsked(), ['app.acme'], 'one at a time')
  catalog.answers(leads(1))
  await turn()
  t.strictSame(catalog.takeAsked(), ['app.acme'], 'and once more for all that came meanwhile')
  catalog.answers(leads(2))
  await turn()
  t.strictSame(session.told, [routeOf(1), routeOf(2)])
  t.strictSame(catalog.takeAsked(), [])
})

t.test('who logs in during a lookup is not told what is older', async (t) => {
  const { catalog, follower, open } = rig()
  const [early, late] = [new FakeSession('acme'), new FakeSession('acme')]
  open(early)
  follower.heard(about('tenant', 'acme'))
  open(late)
  catalog.answers(refuses('unknownTenant'))
  await turn()
  t.strictSame([early.told, late.told], [['SESSION_REVOKED'], []])
})

t.test('a session that was resolved before a change', async (t) => {
  const { catalog, follower, open } = rig()
  const [unaware, aware] = [new FakeSession('acme'), new FakeSession('b')]
  const since = follower.changes
  follower.heard(about('tenant', 'acme'))
  open(unaware, aware)
  follower.admitted(aware, follower.changes)
  t.strictSame(catalog.takeAsked(), [])
  follower.admitted(unaware, since)
  t.strictSame(catalog.takeAsked(), ['app.acme'])
  follower.admitted(new FakeSession('gone'), since)
  t.strictSame(catalog.takeAsked(), [], 'it has left again')
})

t.test('lookups are bounded', async (t) => {
  const { catalog, follower, open } = rig()
  open(...Array.from({ length: 20 }, (_, index) => new FakeSession(`t${index}`)))
  follower.heard(ALL)
  t.equal(catalog.takeAsked().length, 8)
  catalog.answers(leads(1))
  catalog.fails()
  await turn()
  t.equal(catalog.takeAsked().length, 2)
})

t.test('thousands of sessions of one tenant', async (t) => {
  const { catalog, follower, open } = rig()
  const sessions = Array.from({ length: 1_001 }, () => new FakeSession('acme'))
  open(...sessions)
  follower.heard(ALL)
  t.strictSame(catalog.takeAsked(), ['app.acme'])
  catalog.answers(leads(3))
  for (let turns = 0; turns < 7; turns += 1) await turn()
  t.ok(sessions.every(({ told }) => told.length === 1))
})

t.test('a catalog that can not answer changes nothing, and is asked again', async (t) => {
  const { clock, catalog, follower, open } = rig()
  const session = new FakeSession('acme')
  open(session)
  follower.heard(ALL)
  catalog.takeAsked()
  catalog.fails()
  await turn()
  t.strictSame(session.told, [])
  clock.advance(999)
  t.strictSame(catalog.takeAsked(), [])
  clock.advance(1_001)
  t.strictSame(catalog.takeAsked(), ['app.acme'])
  catalog.answers(leads(1))
  await turn()
  t.strictSame(session.told, [routeOf(1)])
})

t.test('each pair is resolved again within the time, without any word', async (t) => {
  const { clock, catalog, open } = rig()
  const session = new FakeSession('acme')
  open(session, new FakeSession('acme'))
  let longestMs = 0
  let lastMs = 0
  for (let second = 0; second < 300; second += 1) {
    clock.advance(1_000)
    if (catalog.takeAsked().length === 0) continue
    longestMs = Math.max(longestMs, clock.nowMs() - lastMs)
    lastMs = clock.nowMs()
    catalog.answers(leads(second))
    await turn()
  }
  t.ok(session.told.length >= 10, `${session.told.length} times`)
  t.ok(longestMs <= TTL_MS, `${longestMs} ms`)
})

t.test('a session that fails to follow goes, and the others are told', async (t) => {
  const { catalog, follower, open } = rig()
  const [broken, sound] = [new FakeSession('acme'), new FakeSession('acme')]
  broken.follow = () => {
    throw new Error('a bug')
  }
  open(broken, sound)
  follower.heard(ALL)
  catalog.answers(leads(2))
  await turn()
  t.strictSame([broken.told, sound.told], [['INTERNAL_ERROR'], [routeOf(2)]])
})

t.test('it stops', async (t) => {
  const { clock, catalog, follower, open } = rig()
  open(new FakeSession('acme'))
  follower.stop()
  t.equal(clock.pending, 0)
  clock.advance(TTL_MS * 2)
  t.strictSame(catalog.takeAsked(), [])
})

t.test('one that has changed its tenant since is not told of the old one', async (t) => {
  const { catalog, follower, open, pairs } = rig()
  const [gone, stays] = [new FakeSession('acme'), new FakeSession('acme')]
  open(gone, stays)
  follower.heard(about('tenant', 'acme'))
  pairs.remove(gone)
  catalog.answers(leads(2))
  await turn()
  t.strictSame([gone.told, stays.told], [[], [routeOf(2)]])
})
