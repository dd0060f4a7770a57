import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import {
  deriveVerifier,
  formatVerifier,
  parseVerifier,
  verifyPassword,
} from '../../src/wire/scram/scram.ts'
import { ScramClient } from '../../src/wire/scram/scram-client.ts'
import { ScramServer } from '../../src/wire/scram/scram-server.ts'

/** The part of pg that logs in by SCRAM; it comes without types. */
interface PgSasl {
  startSession(mechanisms: readonly string[], stream?: object): { response: string }
  continueSession(
    session: object,
    password: string,
    serverFirst: string,
    stream?: object,
  ): Promise<void>
  finalizeSession(session: object, serverFinal: string): void
}
const sasl: PgSasl = createRequire(import.meta.url)('pg/lib/crypto/sasl.js')

// The exchange of RFC 7677, section 3.
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const CLIENT_FIRST = `n,,n=user,r=${CLIENT_NONCE}`
const SERVER_FIRST = `r=${CLIENT_NONCE}${SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`
const CLIENT_FINAL = `c=biws,r=${CLIENT_NONCE}${SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

const VERIFIER = deriveVerifier('pencil', { salt: SALT })
/** Cheap, for tests that derive often. */
const ONE_ROUND = { salt: SALT, iterations: 1 }

t.test('speaks the exchange of RFC 7677', async (t) => {
  const server = new ScramServer(VERIFIER, { serverNonce: SERVER_NONCE })
  t.equal(String(server.start(Buffer.from(CLIENT_FIRST))), SERVER_FIRST)
  t.equal(String(server.finish(Buffer.from(CLIENT_FINAL))?.signature), SERVER_FINAL)
})

function clientOf(password: string): ScramClient {
  return new ScramClient({ kind: 'password', password })
}

async function logIn(server: ScramServer, client: ScramClient): Promise<boolean> {
  const serverFirst = server.start(client.start())
  const serverFinal = server.finish(await client.proceed(serverFirst))
  if (serverFinal !== undefined) client.finish(serverFinal.signature)
  return serverFinal !== undefined
}

t.test('client and server agree on the right password, and on no other', async () => {
  const password = fc.string({ unit: 'grapheme' })
  await fc.assert(
    fc.asyncProperty(password, password, async (right, tried) => {
      const verifier = deriveVerifier(right, ONE_ROUND)
      const isSame = deriveVerifier(tried, ONE_ROUND).storedKey.equals(verifier.storedKey)
      return (await logIn(new ScramServer(verifier), clientOf(tried))) === isSame
    }),
  )
})

for (const [right, tried, expects] of [
  ['pencil', 'pencil', true],
  ['pencil', 'pencil ', false],
  ['pencil', '', false],
  ['ﬁsh', 'fish', true],
] as const) {
  t.test(`verifies '${tried}' against '${right}': ${expects}`, async (t) => {
    const verifier = deriveVerifier(right)
    t.equal(verifier.iterations, 4096)
    t.equal(verifier.salt.length, 16)
    t.equal(verifyPassword(verifier, tried), expects)
    t.equal(await logIn(new ScramServer(verifier), clientOf(tried)), expects)
  })
}

t.test('an exchange can not be used twice', async (t) => {
  const server = new ScramServer(VERIFIER, { serverNonce: SERVER_NONCE })
  t.throws(() => server.finish(Buffer.from(CLIENT_FINAL)), { code: 'PROTOCOL_VIOLATION' })
  server.start(Buffer.from(CLIENT_FIRST))
  t.ok(server.finish(Buffer.from(CLIENT_FINAL)))
  t.throws(() => server.finish(Buffer.from(CLIENT_FINAL)), { code: 'PROTOCOL_VIOLATION' })
})

t.test('nonces differ from one exchange to the next', async (t) => {
  const open = () => String(new ScramServer(VERIFIER).start(clientOf('x').start()))
  t.not(open(), open())
  t.not(String(clientOf('x').start()), String(clientOf('x').start()))
})

t.test('pg logs in to the server', async (t) => {
  for (const tried of ['pencil', 'wrong']) {
    const server = new ScramServer(VERIFIER)
    const session = sasl.startSession(['SCRAM-SHA-256'])
    const serverFirst = server.start(Buffer.from(session.response))
    await sasl.continueSession(session, tried, String(serverFirst))
    const serverFinal = server.finish(Buffer.from(session.response))
    t.equal(serverFinal !== undefined, tried === 'pencil')
    if (serverFinal !== undefined) sasl.finalizeSession(session, String(serverFinal.signature))
  }
})

t.test('accepts a client that could bind a channel', async (t) => {
  const server = new ScramServer(VERIFIER)
  const stream = { getPeerCertificate: () => ({}) }
  const session = sasl.startSession(['SCRAM-SHA-256'], stream)
  t.match(session.response, /^y,,/)
  await sasl.continueSession(
    session,
    'pencil',
    String(server.start(Buffer.from(session.response))),
    stream,
  )
  t.ok(server.finish(Buffer.from(session.response)))
})

t.test('verifiers are written as Postgres stores them', async (t) => {
  t.match(
    formatVerifier(VERIFIER),
    /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[^$:]{44}:[^$:]{44}$/,
  )
  t.strictSame(parseVerifier(formatVerifier(VERIFIER)), VERIFIER)
  fc.assert(
    fc.property(fc.string(), fc.uint8Array({ minLength: 1 }), (password, salt) => {
      const verifier = deriveVerifier(password, { salt: Buffer.from(salt), iterations: 2 })
      t.strictSame(parseVerifier(formatVerifier(verifier)), verifier)
    }),
    { numRuns: 50 },
  )
})

// Read from pg_authid of Postgres 15 after `create role … password …`.
const MADE_BY_POSTGRES = [
  {
    name: 'ASCII',
    password: 'pencil',
    text: 'SCRAM-SHA-256$4096:1cwmgRBj/aODZP4nvEiaVg==$7PYxK/65XH+MYxtKDef0BDAUvoFeVDTZvWZcV/t3Djo=:LCQfwhbxvMp/QQBNGnZ1Epf/EPZSor+T1jXepQfytnc=',
  },
  {
    name: 'a password that SASLprep changes',
    password: 'ﬁsh\u00ad',
    text: 'SCRAM-SHA-256$4096:Dns1ETv8z82vwfpRxJuc9A==$TZI1fVCNpnLavDhDA16bqVZEdGq42ZVZUJLzlRSKzy0=:/BBw5CPm4CeDu/c9qT8czhZNmz0SBG4ZcI141FBk7l4=',
  },
  {
    name: 'a password that SASLprep would refuse',
    password: '👩\u200d👧\ufe0f',
    text: 'SCRAM-SHA-256$4096:e3ZZWcbFQodsgX2QLYipkg==$nWV5stdVKlSnWywMR86W4CIMmSWG1lAZZWNwrkDZyNQ=:173WBPy6W63Whn6SLVuk+H2SCM4swy+ChKLp74DkYmk=',
  },
] as const
for (const { name, password, text } of MADE_BY_POSTGRES) {
  t.test(`reads a verifier made by Postgres: ${name}`, async (t) => {
    const verifier = parseVerifier(text)
    t.ok(verifier && verifyPassword(verifier, password))
    t.notOk(verifier && verifyPassword(verifier, `${password}x`))
    t.equal(verifier && formatVerifier(verifier), text)
  })
}

const KEY = Buffer.alloc(32, 7).toString('base64')
for (const text of [
  '',
  'md5d41d8cd98f00b204e9800998ecf8427e',
  `SCRAM-SHA-1$4096:AAAA$${KEY}:${KEY}`,
  `SCRAM-SHA-256$0:AAAA$${KEY}:${KEY}`,
  `SCRAM-SHA-256$-1:AAAA$${KEY}:${KEY}`,
  `SCRAM-SHA-256$2147483648:AAAA$${KEY}:${KEY}`,
  `SCRAM-SHA-256$4096:$${KEY}:${KEY}`,
  `SCRAM-SHA-256$4096:AA$${KEY}:${KEY}`,
  `SCRAM-SHA-256$4096:AAAA$AAAA:${KEY}`,
  `SCRAM-SHA-256$4096:AAAA$${KEY}:AAAA`,
  `SCRAM-SHA-256$4096:AAAA$${KEY}`,
  `SCRAM-SHA-256$4096:AAAA$${KEY}:${KEY}:`,
  `SCRAM-SHA-256$4096:AAAA$${KEY}:${KEY}\n`,
  ` SCRAM-SHA-256$4096:AAAA$${KEY}:${KEY}`,
]) {
  t.test(`takes [${text}] for no verifier`, async (t) => t.equal(parseVerifier(text), undefined))
}
t.test('takes what those rows are spoiled from', async (t) => {
  t.ok(parseVerifier(`SCRAM-SHA-256$2147483647:AAAA$${KEY}:${KEY}`))
})
