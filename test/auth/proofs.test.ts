import t from 'tap'
import type { AuthAnswer } from '../../src/auth/auth-answer.ts'
import { saltPassword, scramKeys } from '../../src/wire/scram/scram.ts'
import type { AuthClient } from '../support/auth-client.ts'
import {
  ASK,
  allowed,
  attempt,
  clientOf,
  failureBecause,
  LOGIN,
  MD5_SECRET,
  NO_SECRET,
  prove,
  RIGHT,
  ROUTE,
  refused,
  SCRAM_SECRET,
  VERIFIER,
  WRONG,
} from './auth-fixture.ts'

t.test('what is proven can be passed on', async (t) => {
  const password = await prove(clientOf({ password: RIGHT }), {
    method: 'password',
    resolution: allowed(SCRAM_SECRET),
  })
  t.strictSame(password.proof, { kind: 'password', password: RIGHT })
  const scram = await prove(clientOf({ password: RIGHT }), {
    method: 'scram-sha-256',
    resolution: allowed(SCRAM_SECRET),
  })
  const { salt, iterations } = VERIFIER
  const keys = scramKeys(await saltPassword(RIGHT, salt, iterations))
  t.strictSame(scram.proof, { kind: 'scram', keys })
  const nothing = { kind: 'none' }
  const md5 = { method: 'md5', resolution: allowed(MD5_SECRET) } as const
  t.strictSame((await prove(clientOf({ password: RIGHT }), md5)).proof, nothing)
  const trust = { method: 'trust', resolution: allowed(NO_SECRET) } as const
  t.strictSame((await prove(clientOf({ password: RIGHT }), trust)).proof, nothing)
})

t.test('a secret that only the server knows', async (t) => {
  const asked = { method: 'scram-sha-256', resolution: allowed(ASK) } as const
  const known: AuthAnswer = { secret: SCRAM_SECRET, lack: undefined, validUntilMs: Infinity }

  await t.test('is asked for once, and then proven', async (t) => {
    const used: string[] = []
    const client = clientOf({ password: RIGHT })
    t.equal((await prove(client, { ...asked, answer: known, used })).route, ROUTE)
    t.strictSame(used, ['find'])
    t.strictSame(client.transcript, ['sasl', 'saslContinue', 'saslFinal'])
  })

  await t.test('is doubted when the proof fails', async (t) => {
    const used: string[] = []
    const outcome = prove(clientOf({ password: WRONG }), { ...asked, answer: known, used })
    await t.rejects(outcome, failureBecause('wrongPassword'))
    t.strictSame(used, ['find', 'doubt'])
  })

  for (const lack of ['unknownLogin', 'passwordExpired', 'unsuitableSecret'] as const) {
    await t.test(`that has none looks the same: ${lack}`, async (t) => {
      const client = clientOf({ password: RIGHT })
      const answer = { secret: undefined, lack, validUntilMs: Infinity }
      await t.rejects(prove(client, { ...asked, answer }), failureBecause(lack))
      t.strictSame(client.transcript, ['sasl', 'saslContinue'])
    })
  }

  await t.test('is pretended to be asked for where the client is refused anyway', async (t) => {
    const used: string[] = []
    const client = clientOf({ password: RIGHT })
    const outcome = prove(client, {
      method: 'scram-sha-256',
      resolution: refused('unknownTenant', ASK),
      answer: { secret: undefined, lack: 'unknownLogin', validUntilMs: Infinity },
      used,
    })
    await t.rejects(outcome, failureBecause('unknownTenant'))
    t.strictSame(used, ['find', 'doubt'])
    t.strictSame(client.transcript, ['sasl', 'saslContinue'])
  })

  await t.test('is not asked for where none is needed', async (t) => {
    const used: string[] = []
    const client = clientOf({ password: WRONG })
    await prove(client, { method: 'trust', resolution: allowed(ASK), used })
    t.strictSame(used, [])
  })
})

t.test('a certificate', async (t) => {
  const resolution = allowed(NO_SECRET)
  const withNames = (commonName: string | undefined, dnsNames: readonly string[] = []) =>
    clientOf({ password: WRONG, isEncrypted: true, clientCertificate: { commonName, dnsNames } })

  await t.test('of the login lets it in without a word', async (t) => {
    for (const client of [withNames(LOGIN), withNames('x', ['y', LOGIN])]) {
      t.equal(await attempt(client, 'cert', resolution), ROUTE)
      t.strictSame(client.transcript, [])
    }
  })

  await t.test('of another is as wrong as a wrong password', async (t) => {
    const others = [
      withNames('x'),
      withNames(undefined),
      withNames(LOGIN.toUpperCase()),
      withNames(`${LOGIN}.acme`, [`${LOGIN}x`]),
    ]
    for (const client of others) {
      await t.rejects(attempt(client, 'cert', resolution), failureBecause('wrongCertificate'))
    }
    const refusal = attempt(withNames(LOGIN), 'cert', refused('notGranted', NO_SECRET))
    await t.rejects(refusal, failureBecause('notGranted'))
  })

  await t.test('is asked for with a hint', async (t) => {
    const client = clientOf({ password: RIGHT })
    const outcome = attempt(client, 'cert', resolution)
    await t.rejects(outcome, { code: 'AUTH_METHOD_REFUSED', sqlState: '28000', hint: /sslcert/ })
  })
})

t.test('channel binding', async (t) => {
  const resolution = allowed(SCRAM_SECRET)
  const method = 'scram-sha-256'
  const tlsServerEndPoint = Buffer.from('certificate')
  const offered = (client: AuthClient) => {
    const [question] = client.asked
    return question?.kind === 'sasl' ? question.mechanisms : undefined
  }
  const overTls = () => clientOf({ password: RIGHT, isEncrypted: true, tlsServerEndPoint })

  await t.test('is offered over TLS, and used', async (t) => {
    const client = overTls()
    await prove(client, { method, resolution })
    t.strictSame(offered(client), ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])
  })

  await t.test('sees another certificate in between', async (t) => {
    const client = overTls()
    const seen = clientOf({ password: RIGHT, tlsServerEndPoint: Buffer.from('other') })
    client.send = (bytes) => seen.send(bytes)
    client.receivePassword = () => seen.receivePassword()
    await t.rejects(prove(client, { method, resolution }), { code: 'CHANNEL_BINDING_FAILED' })
  })

  await t.test('can be switched off, or required', async (t) => {
    const plain = overTls()
    await prove(plain, { method, resolution, channelBinding: 'disable' })
    t.strictSame(offered(plain), ['SCRAM-SHA-256'])
    const bound = overTls()
    await prove(bound, { method, resolution, channelBinding: 'require' })
    t.strictSame(offered(bound), ['SCRAM-SHA-256-PLUS'])
    const bare = clientOf({ password: RIGHT })
    const refusal = prove(bare, { method, resolution, channelBinding: 'require' })
    await t.rejects(refusal, { code: 'AUTH_METHOD_REFUSED', sqlState: '28000' })
    t.strictSame(bare.transcript, [])
  })
})
