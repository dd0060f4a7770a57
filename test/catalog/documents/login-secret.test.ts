import t from 'tap'
import { readSecret } from '../../../src/catalog/documents/login-secret.ts'
import { type ScramVerifier, verifyPassword } from '../../../src/wire/scram/scram.ts'

const SURROUNDINGS = { method: 'scram-sha-256', canAsk: false, passesOn: undefined } as const

function verifierOf(user: string, password: string): ScramVerifier {
  const secret = readSecret({ user, password, tenants: '*' }, SURROUNDINGS)
  if (!('kind' in secret) || secret.kind !== 'scram') throw new Error('not a verifier')
  return secret.verifier
}

t.test('a password that stays gives the same verifier', async (t) => {
  t.strictSame(verifierOf('app', 'hush'), verifierOf('app', 'hush'))
  t.ok(verifyPassword(verifierOf('app', 'hush'), 'hush'))
})

t.test('the salt differs with the password and with the user', async (t) => {
  const salts = [
    ['app', 'hush'],
    ['app', 'hush2'],
    ['apph', 'ush'],
    ['report', 'hush'],
  ].map(([user = '', password = '']) => verifierOf(user, password).salt.toString('hex'))
  t.equal(new Set(salts).size, salts.length)
  t.ok(salts.every((salt) => salt.length === 32))
})
