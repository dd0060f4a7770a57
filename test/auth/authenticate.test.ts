import t from 'tap'
import type { AuthMethod, LoginSecret } from '../../src/catalog/login.ts'
import {
  passwordMessage,
  saslInitialResponse,
  saslResponse,
} from '../../src/wire/frontend-messages.ts'
import {
  allowed,
  attempt,
  clientOf,
  failureBecause,
  MD5_SECRET,
  NO_SECRET,
  prove,
  RIGHT,
  ROUTE,
  refused,
  SCRAM_SECRET,
  WRONG,
} from './auth-fixture.ts'

interface MethodCase {
  readonly name: string
  readonly method: AuthMethod
  readonly secret: LoginSecret
  /** What a client is sent that fails, whatever the reason. */
  readonly failing: readonly string[]
  /** What follows when it succeeds. */
  readonly proven: readonly string[]
}

const METHODS: readonly MethodCase[] = [
  {
    name: 'scram-sha-256',
    method: 'scram-sha-256',
    secret: SCRAM_SECRET,
    failing: ['sasl', 'saslContinue'],
    proven: ['saslFinal'],
  },
  { name: 'md5', method: 'md5', secret: MD5_SECRET, failing: ['md5Password'], proven: [] },
  {
    name: 'password against a verifier',
    method: 'password',
    secret: SCRAM_SECRET,
    failing: ['cleartextPassword'],
    proven: [],
  },
  {
    name: 'password against an md5 hash',
    method: 'password',
    secret: MD5_SECRET,
    failing: ['cleartextPassword'],
    proven: [],
  },
]

for (const { name, method, secret, failing, proven } of METHODS) {
  t.test(`${name}: the right password leads to the route`, async (t) => {
    const client = clientOf({ password: RIGHT })
    t.equal(await attempt(client, method, allowed(secret)), ROUTE)
    t.strictSame(client.transcript, [...failing, ...proven])
  })

  const failures = [
    { why: 'wrongPassword', password: WRONG, resolution: allowed(secret) },
    { why: 'unknownLogin', password: RIGHT, resolution: refused('unknownLogin', undefined) },
    { why: 'unknownTenant', password: RIGHT, resolution: refused('unknownTenant', secret) },
    { why: 'unknownTenant', password: RIGHT, resolution: refused('unknownTenant', undefined) },
    { why: 'notGranted', password: RIGHT, resolution: refused('notGranted', secret) },
    { why: 'notGranted', password: WRONG, resolution: refused('notGranted', secret) },
    { why: 'unsuitableSecret', password: RIGHT, resolution: allowed(NO_SECRET) },
  ]
  for (const { why, password, resolution } of failures) {
    const known = resolution.secret === undefined ? 'no secret' : 'a secret'
    const typed = password === RIGHT ? 'right' : 'wrong'
    t.test(`${name}: ${why} with ${known} and the ${typed} password`, async (t) => {
      const client = clientOf({ password })
      await t.rejects(attempt(client, method, resolution), failureBecause(why))
      t.strictSame(client.transcript, failing, 'the same messages as any other failure')
    })
  }
}

t.test('a secret of the other kind fits nothing', async (t) => {
  const unsuitable = failureBecause('unsuitableSecret')
  const client = () => clientOf({ password: RIGHT })
  await t.rejects(attempt(client(), 'scram-sha-256', allowed(MD5_SECRET)), unsuitable)
  await t.rejects(attempt(client(), 'md5', allowed(SCRAM_SECRET)), unsuitable)
})

t.test('an unknown login sees the same salt at each attempt', async (t) => {
  const saltOf = async (login: string) => {
    const client = clientOf({ login, password: RIGHT })
    const resolution = refused('unknownLogin', undefined)
    const outcome = prove(client, { method: 'scram-sha-256', login, resolution })
    await t.rejects(outcome, { code: 'AUTHENTICATION_FAILED' })
    return client.saltSeen
  }
  const salt = await saltOf('nobody')
  t.type(salt, 'string')
  t.equal(await saltOf('nobody'), salt)
  t.not(await saltOf('somebody'), salt)
})

t.test('a known login that is refused sees its real salt', async (t) => {
  const [seen, seenRefused] = [clientOf({ password: RIGHT }), clientOf({ password: RIGHT })]
  await attempt(seen, 'scram-sha-256', allowed(SCRAM_SECRET))
  await t.rejects(attempt(seenRefused, 'scram-sha-256', refused('notGranted', SCRAM_SECRET)))
  t.equal(seenRefused.saltSeen, seen.saltSeen)
})

t.test('md5 salts are fresh each time', async (t) => {
  const salts = new Set<string>()
  for (let count = 0; count < 8; count++) {
    const client = clientOf({ password: RIGHT })
    await attempt(client, 'md5', allowed(MD5_SECRET))
    const [question] = client.asked
    if (question?.kind === 'md5Password') salts.add(question.salt.toString('hex'))
  }
  t.equal(salts.size, 8)
})

t.test('trust asks nothing, and lets nobody in who is refused', async (t) => {
  const client = clientOf({ password: WRONG })
  t.equal(await attempt(client, 'trust', allowed(NO_SECRET)), ROUTE)
  for (const reason of ['unknownLogin', 'unknownTenant', 'notGranted'] as const) {
    const refusal = attempt(client, 'trust', refused(reason, SCRAM_SECRET))
    await t.rejects(refusal, failureBecause(reason))
  }
  t.strictSame(client.transcript, [])
})

t.test('methods are refused where they are not safe, before a word is said', async (t) => {
  const refusal = { code: 'AUTH_METHOD_REFUSED', sqlState: '28000', origin: 'client' }
  const ways = [
    { method: 'trust', isLoopback: false, isEncrypted: false, isSafe: false },
    { method: 'trust', isLoopback: false, isEncrypted: true, isSafe: false },
    { method: 'password', isLoopback: false, isEncrypted: false, isSafe: false },
    { method: 'password', isLoopback: false, isEncrypted: true, isSafe: true },
    { method: 'password', isLoopback: true, isEncrypted: false, isSafe: true },
    { method: 'scram-sha-256', isLoopback: false, isEncrypted: false, isSafe: true },
  ] as const
  for (const { method, isSafe, ...way } of ways) {
    const client = clientOf({ password: RIGHT, ...way })
    const outcome = attempt(client, method, allowed(SCRAM_SECRET))
    if (isSafe) {
      t.equal(await outcome, ROUTE)
    } else {
      await t.rejects(outcome, refusal)
      t.strictSame(client.transcript, [])
    }
  }
})

t.test('answers that make no sense are protocol violations', async (t) => {
  const violation = { code: 'PROTOCOL_VIOLATION' }
  const body = (message: Buffer) => message.subarray(5)
  const nonsense = [
    {
      method: 'scram-sha-256',
      answer: saslInitialResponse('SCRAM-SHA-1', Buffer.from('n,,n=,r=x')),
    },
    { method: 'scram-sha-256', answer: saslInitialResponse('SCRAM-SHA-256', Buffer.from('junk')) },
    { method: 'scram-sha-256', answer: saslResponse(Buffer.from('junk')) },
    { method: 'md5', answer: saslResponse(Buffer.from('no end')) },
    { method: 'password', answer: saslResponse(Buffer.of(0xff, 0)) },
  ] as const
  for (const { method, answer } of nonsense) {
    for (const resolution of [allowed(SCRAM_SECRET), refused('unknownLogin', undefined)]) {
      const client = clientOf({ password: RIGHT })
      client.receivePassword = async () => body(answer)
      await t.rejects(attempt(client, method, resolution), violation)
    }
  }
})

t.test('an md5 answer of another length is a wrong password', async (t) => {
  const client = clientOf({ password: RIGHT })
  client.receivePassword = async () => passwordMessage('md5').subarray(5)
  const outcome = attempt(client, 'md5', allowed(MD5_SECRET))
  await t.rejects(outcome, failureBecause('wrongPassword'))
})
