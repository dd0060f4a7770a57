import t from 'tap'
import type { Route } from '../../src/catalog/route.ts'
import { LinkFailedError, ServerLoginError } from '../../src/server/server-errors.ts'
import { isOfClient, takeSeat } from '../../src/session/login/take-seat.ts'
import { errorResponse, readyForQuery } from '../../src/wire/backend-messages.ts'
import { linkOf, PoolRig } from '../pool/pool-fixture.ts'
import { factsReplies, linkReplies } from '../support/fake-server.ts'

const ADDRESS = { host: 'db', port: 5432 }
const { signal } = new AbortController()
const BAD_ZONE = { code: '22023', message: 'invalid value for parameter "timezone": "x"' }

function routeOf(mode: 'transaction' | 'session'): Route {
  return { pool: { mode }, timeouts: { waitMs: 0 } } as unknown as Route
}

t.test('in transaction mode the link is tried, and the connection given back', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const link = linkOf('acme')
  const seating = takeSeat(rig.pool, { route: routeOf('transaction'), link }, signal)
  const server = await rig.opens()
  server.say(linkReplies(), factsReplies())
  const seat = await seating
  t.equal(seat.lease, undefined)
  t.equal(seat.link, link)
  t.strictSame([...seat.parameters], [['server_version', '18.4']])
  t.equal(rig.pool.counts().idle, 1)
})

t.test('in session mode a connection of its own is kept', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const link = linkOf('acme')
  const seating = takeSeat(rig.pool, { route: routeOf('session'), link }, signal)
  const server = await rig.opens()
  const seat = await seating
  t.equal(seat.lease?.server.home, link)
  t.equal(seat.lease?.server.link, link)
  t.equal(seat.parameters, seat.lease?.server.parameters)
  t.equal(server.written.length, 0, 'it was opened with it')
  t.equal(rig.pool.counts().leased, 1)
})

t.test('a setting that the server refuses is told to the client', async (t) => {
  const link = linkOf('acme', { timezone: 'x' })
  const linking = new PoolRig({ size: 1 })
  const seating = takeSeat(linking.pool, { route: routeOf('transaction'), link }, signal)
  const refused = t.rejects(seating, { code: 'CLIENT_SETTING_INVALID', sqlState: '22023' })
  const server = await linking.opens()
  server.say(errorResponse({ severity: 'ERROR', ...BAD_ZONE }), readyForQuery('E'))
  await refused

  const opening = new PoolRig({ size: 1 })
  const own = takeSeat(opening.pool, { route: routeOf('session'), link }, signal)
  const turnedAway = t.rejects(own, { code: 'CLIENT_SETTING_INVALID', sqlState: '22023' })
  await opening.fails(
    new ServerLoginError(ADDRESS, {
      reason: 'no',
      serverSqlState: BAD_ZONE.code,
      serverMessage: BAD_ZONE.message,
      isPermanent: true,
    }),
  )
  await turnedAway
})

t.test('what is wrong with the tenant is not', async (t) => {
  const rig = new PoolRig({ size: 1 })
  const link = linkOf('acme')
  const seating = takeSeat(rig.pool, { route: routeOf('transaction'), link }, signal)
  const failed = t.rejects(seating, { code: 'LINK_FAILED' })
  const server = await rig.opens()
  server.say(errorResponse({ severity: 'ERROR', ...BAD_ZONE }), readyForQuery('E'))
  await failed
  const drained = takeSeat(rig.pool, { route: routeOf('session'), link }, signal)
  const turnedAway = t.rejects(drained, { code: 'POOL_DRAINED' })
  rig.pool.drain()
  await turnedAway
})

t.test('whose setting it was', async (t) => {
  const mine = linkOf('acme', { timezone: 'x' })
  const refusal = (serverSqlState?: string, serverMessage?: string) => ({
    serverSqlState,
    serverMessage,
  })
  t.equal(isOfClient(refusal('22023', 'no'), mine), true)
  t.equal(isOfClient(refusal('22023', 'no'), linkOf('acme')), false)
  t.equal(isOfClient(refusal('42501', 'parameter "TimeZone"'), mine), true)
  t.equal(isOfClient(refusal('42501', 'parameter "timezone2"'), mine), false)
  t.equal(isOfClient(refusal('42501', 'role "reader"'), mine), false)
  t.equal(isOfClient(refusal(undefined, undefined), mine), false)
  const fields = new Map([['C', '22023']])
  t.equal(isOfClient(new LinkFailedError('acme@1', fields), mine), true)
})
