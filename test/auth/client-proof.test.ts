import t from 'tap'
import { routeOfSession, routeWithProofOf } from '../../src/auth/client-proof.ts'
import type { Route } from '../../src/catalog/route.ts'
import { LOGIN, ROUTE } from './auth-fixture.ts'

const TARGET = { ...ROUTE.target, password: 'of the pool' }
const KEYS = { clientKey: Buffer.from('client'), serverKey: Buffer.from('server') }
const PROOFS = [
  { proof: { kind: 'none' }, password: undefined, scramKeys: undefined },
  { proof: { kind: 'password', password: 'typed' }, password: 'typed', scramKeys: undefined },
  { proof: { kind: 'scram', keys: KEYS }, password: undefined, scramKeys: KEYS },
] as const

for (const { proof, password, scramKeys } of PROOFS) {
  t.test(`the server user is the client's, by ${proof.kind}`, async (t) => {
    const route: Route = { ...ROUTE, target: TARGET, serverUser: 'client' }
    const own = routeOfSession(route, proof)
    t.strictSame(own, { ...route, target: { ...TARGET, user: LOGIN, password, scramKeys } })
    t.equal(route.target.password, 'of the pool', 'the record stays what it is')
  })

  t.test(`the server user is the route's, whatever is proven by ${proof.kind}`, async (t) => {
    const route: Route = { ...ROUTE, target: TARGET, serverUser: 'route' }
    t.equal(routeOfSession(route, proof), route)
  })
}

const CLIENTS: Route = { ...ROUTE, target: TARGET, serverUser: 'client' }
const MOVED: Route = { ...CLIENTS, target: { ...TARGET, host: 'other' } }

for (const { proof } of PROOFS) {
  t.test(`a session goes on with its own proof, by ${proof.kind}`, async (t) => {
    const before = routeOfSession(CLIENTS, proof)
    t.strictSame(routeWithProofOf(before, MOVED), routeOfSession(MOVED, proof))
    const route: Route = { ...MOVED, serverUser: 'route' }
    t.equal(routeWithProofOf(before, route), route, 'which is for no other server user')
  })
}

t.test('a proof that was not kept can not be passed on', async (t) => {
  t.equal(routeWithProofOf(ROUTE, MOVED), undefined)
})
