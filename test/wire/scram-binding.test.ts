import t from 'tap'
import { deriveVerifier, saltPassword, scramKeys } from '../../src/wire/scram/scram.ts'
import { type ClientBinding, ScramClient } from '../../src/wire/scram/scram-client.ts'
import { ScramServer, type ScramServerOptions } from '../../src/wire/scram/scram-server.ts'

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const NONCE = `${CLIENT_NONCE}${SERVER_NONCE}`
const SERVER_FIRST = `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`
const HASH = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
const OTHER_HASH = Buffer.alloc(32, 7)

const VERIFIER = deriveVerifier('pencil', { salt: SALT })
const SECRET = { kind: 'password', password: 'pencil' } as const
const KEYS = scramKeys(await saltPassword('pencil', SALT, 4096))

const VIOLATION = { code: 'PROTOCOL_VIOLATION', sqlState: '08P01' }
const UNBOUND = { code: 'CHANNEL_BINDING_FAILED', sqlState: '28000', origin: 'client' }

/** The exchange of RFC 7677 without its user name; proofs and signatures by Python's hashlib. */
const EXCHANGES: readonly {
  readonly channelBinding: ClientBinding
  readonly server: ScramServerOptions
  readonly header: string
  readonly final: string
  readonly signature: string
}[] = [
  {
    channelBinding: { kind: 'none' },
    server: { channelBinding: HASH },
    header: 'n,,',
    final: `c=biws,r=${NONCE},p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k=`,
    signature: 'v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=',
  },
  {
    channelBinding: { kind: 'unused' },
    server: {},
    header: 'y,,',
    final: `c=eSws,r=${NONCE},p=VpuC5DGQa5ro9tXE9MnKs69NH1nxnuregZZcclqIGfM=`,
    signature: 'v=FOmOj9BpTGwvnzwBtWQjBaPmVxT9I8IeHBOhcIPu3us=',
  },
  {
    channelBinding: { kind: 'endPoint', hash: HASH },
    server: { channelBinding: HASH, isPlus: true },
    header: 'p=tls-server-end-point,,',
    final: `c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,r=${NONCE},p=Q8h71kjaoMzNI7dPksDrhRE/5mTUObF0fUHVIgBOWQg=`,
    signature: 'v=ykwoqH8mLqO5AQCeuwwf6lsj9f8zyJZT/CcvAbN4Ssc=',
  },
]

for (const { channelBinding, server: options, header, final, signature } of EXCHANGES) {
  t.test(`channel binding ${channelBinding.kind}`, async (t) => {
    for (const secret of [SECRET, { kind: 'keys', ...KEYS }] as const) {
      const client = new ScramClient(secret, { clientNonce: CLIENT_NONCE, channelBinding })
      t.equal(String(client.start()), `${header}n=,r=${CLIENT_NONCE}`)
      t.equal(String(await client.proceed(Buffer.from(SERVER_FIRST))), final)
      client.finish(Buffer.from(signature))
    }
    const server = new ScramServer(VERIFIER, { serverNonce: SERVER_NONCE, ...options })
    const first = server.start(Buffer.from(`${header}n=,r=${CLIENT_NONCE}`))
    t.equal(String(first), SERVER_FIRST)
    const proven = server.finish(Buffer.from(final))
    t.equal(String(proven?.signature), signature)
    t.strictSame(proven?.clientKey, KEYS.clientKey)
  })
}

t.test('the key that a proof gives away proves the same login elsewhere', async (t) => {
  const first = new ScramServer(VERIFIER)
  const client = new ScramClient(SECRET)
  const proven = first.finish(await client.proceed(first.start(client.start())))
  if (proven === undefined) throw new Error('not proven')
  const { clientKey } = proven
  const second = new ScramServer(VERIFIER)
  const keyed = new ScramClient({ kind: 'keys', clientKey, serverKey: VERIFIER.serverKey })
  const again = second.finish(await keyed.proceed(second.start(keyed.start())))
  keyed.finish(again?.signature ?? Buffer.alloc(0))
  const elsewhere = new ScramServer(deriveVerifier('pencil'))
  const stale = new ScramClient({ kind: 'keys', clientKey, serverKey: VERIFIER.serverKey })
  t.equal(elsewhere.finish(await stale.proceed(elsewhere.start(stale.start()))), undefined)
})

t.test('a wrong proof gives no key away', async (t) => {
  const server = new ScramServer(VERIFIER, { channelBinding: HASH, isPlus: true })
  const client = new ScramClient(
    { kind: 'password', password: 'wrong' },
    { channelBinding: { kind: 'endPoint', hash: HASH } },
  )
  t.equal(server.finish(await client.proceed(server.start(client.start()))), undefined)
})

/** What Postgres refuses as well, in `read_client_first_message` of auth-scram.c. */
const REFUSED = [
  {
    name: 'an offer that did not arrive',
    header: 'y,,',
    server: { channelBinding: HASH },
    error: UNBOUND,
  },
  { name: 'PLUS without data', header: 'n,,', server: { channelBinding: HASH, isPlus: true } },
  { name: 'PLUS denied', header: 'y,,', server: { channelBinding: HASH, isPlus: true } },
  {
    name: 'data without PLUS',
    header: 'p=tls-server-end-point,,',
    server: { channelBinding: HASH },
  },
  { name: 'data without TLS', header: 'p=tls-server-end-point,,', server: {} },
  { name: 'PLUS without TLS', header: 'p=tls-server-end-point,,', server: { isPlus: true } },
  {
    name: 'another kind of data',
    header: 'p=tls-unique,,',
    server: { channelBinding: HASH, isPlus: true },
  },
  {
    name: 'another identity',
    header: 'p=tls-server-end-point,a=root,',
    server: { channelBinding: HASH, isPlus: true },
  },
  { name: 'no kind', header: 'p=,,', server: { channelBinding: HASH, isPlus: true } },
  { name: 'a flag of nobody', header: 'z,,', server: { channelBinding: HASH, isPlus: true } },
]
for (const { name, header, server, error = VIOLATION } of REFUSED) {
  t.test(`server refuses ${name}`, async (t) => {
    const scram = new ScramServer(VERIFIER, server)
    t.throws(() => scram.start(Buffer.from(`${header}n=,r=x`)), error)
    t.throws(() => scram.finish(Buffer.from(`c=biws,r=x,p=${'A'.repeat(43)}=`)), VIOLATION)
  })
}

t.test('server refuses a client that sees another certificate', async (t) => {
  for (const hash of [OTHER_HASH, HASH.subarray(0, 31), Buffer.concat([HASH, OTHER_HASH])]) {
    const server = new ScramServer(VERIFIER, { channelBinding: HASH, isPlus: true })
    const client = new ScramClient(SECRET, { channelBinding: { kind: 'endPoint', hash } })
    const final = await client.proceed(server.start(client.start()))
    t.throws(() => server.finish(final), UNBOUND)
  }
})

t.test('server refuses a header that changed on the way', async (t) => {
  for (const [said, options, repeated] of [
    ['n,,', {}, 'eSws'],
    ['y,,', {}, 'biws'],
    ['n,,', { channelBinding: HASH }, HASH.toString('base64')],
  ] as const) {
    const server = new ScramServer(VERIFIER, { serverNonce: 'theirs', ...options })
    server.start(Buffer.from(`${said}n=,r=ours`))
    const final = `c=${repeated},r=ourstheirs,p=${'A'.repeat(43)}=`
    t.throws(() => server.finish(Buffer.from(final)), VIOLATION)
  }
})
