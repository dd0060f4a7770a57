import { once } from 'node:events'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { ServerTls } from '../../src/catalog/route.ts'
import { dial } from '../../src/server/open/dial.ts'
import { MessageReader } from '../../src/server/open/message-reader.ts'
import { proveLogin } from '../../src/server/open/prove-login.ts'
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
} from '../../src/wire/backend-messages.ts'
import { TestAuthority } from '../support/certificates.ts'
import { type ScriptStep, startScriptedServer } from '../support/scripted-server.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const certificate = await authority.issue({ commonName: 'db.example' })
const TLS: ServerTls = {
  mode: 'require',
  rootCertificates: undefined,
  certificate: undefined,
  key: undefined,
  channelBinding: 'prefer',
  negotiation: 'postgres',
  isNameSent: true,
}

t.test('no password in the clear crosses a network', async (t) => {
  const sent: ScriptStep[] = [{ send: authenticationCleartextPassword() }, { expect: 'p' }]
  const { server, proven } = await prove(t, sent, { remoteAddress: '10.0.0.1' })
  await t.rejects(proven, { code: 'SERVER_LOGIN_FAILED', isPermanent: true })
  t.equal(server.received.length, 0)
})

t.test('a loopback server may have it', async (t) => {
  const { server, proven } = await prove(
    t,
    [{ send: authenticationCleartextPassword() }, { expect: 'p' }, { send: authenticationOk() }],
    { remoteAddress: '127.0.0.1' },
  )
  await proven
  t.equal(String(server.received[0]), 'usher\0')
})

t.test('an md5 response may cross a network', async (t) => {
  const { server, proven } = await prove(
    t,
    [
      { send: authenticationMd5Password(Buffer.from('salt')) },
      { expect: 'p' },
      { send: authenticationOk() },
    ],
    { remoteAddress: '10.0.0.1' },
  )
  await proven
  t.match(String(server.received[0]), /^md5[0-9a-f]{32}\0$/)
})

t.test('over TLS a password in the clear may cross a network', async (t) => {
  const { server, proven } = await prove(
    t,
    [{ send: authenticationCleartextPassword() }, { expect: 'p' }, { send: authenticationOk() }],
    { remoteAddress: '10.0.0.1', channelBinding: 'prefer' },
  )
  await proven
  t.equal(String(server.received[0]), 'usher\0')
})

const PLUS = 'SCRAM-SHA-256-PLUS'
const BARE = 'SCRAM-SHA-256'

/** What a server offers over TLS, and how our answer begins; none where we give up. */
const OFFERS = [
  {
    offer: [PLUS, BARE],
    channelBinding: 'prefer',
    begins: [PLUS, 'p=tls-server-end-point,,n=,r='],
  },
  { offer: [BARE], channelBinding: 'prefer', begins: [BARE, 'y,,n=,r='] },
  { offer: [PLUS, BARE], channelBinding: 'disable', begins: [BARE, 'n,,n=,r='] },
  { offer: [PLUS], channelBinding: 'require', begins: [PLUS, 'p=tls-server-end-point,,n=,r='] },
  { offer: [BARE], channelBinding: 'require', begins: undefined },
  { offer: [PLUS], channelBinding: 'disable', begins: undefined },
  { offer: ['OAUTHBEARER'], channelBinding: 'prefer', begins: undefined },
] as const
for (const { offer, channelBinding, begins } of OFFERS) {
  t.test(`${channelBinding} meets an offer of ${offer.join(' and ')}`, async (t) => {
    const question = { send: authenticationSasl(offer) }
    const hangUp: ScriptStep = { close: 'end' }
    const steps = begins === undefined ? [question] : [question, { expect: 'p' }, hangUp]
    const place = { remoteAddress: '10.0.0.1', channelBinding }
    const { server, proven } = await prove(t, steps, place)
    if (begins === undefined) {
      await t.rejects(proven, { code: 'SERVER_LOGIN_FAILED', isPermanent: true })
      return
    }
    await t.rejects(proven, { code: 'SERVER_UNREACHABLE' })
    // A NUL ends the mechanism, and four bytes of length follow.
    const answer = server.received[0] ?? Buffer.alloc(0)
    const end = answer.indexOf(0)
    t.equal(answer.toString('utf8', 0, end), begins[0])
    t.ok(answer.toString('utf8', end + 5).startsWith(begins[1]))
  })
}

interface Place {
  readonly remoteAddress: string
  /** Goes with TLS; the connection is plain without it. */
  readonly channelBinding?: ServerTls['channelBinding']
}

/** Talks to a scripted server as if it had another address. */
async function prove(
  t: Test,
  steps: readonly ScriptStep[],
  { remoteAddress, channelBinding }: Place,
) {
  const server = await startScriptedServer(steps, channelBinding && certificate)
  t.teardown(server.stop)
  const plain = await dial(server, { timeoutMs: 5_000 })
  const socket = channelBinding ? connect({ socket: plain, rejectUnauthorized: false }) : plain
  t.teardown(() => socket.destroy())
  if (channelBinding) await once(socket, 'secureConnect')
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
  const reader = new MessageReader(socket, server, new AbortController().signal)
  const tls = channelBinding && { ...TLS, channelBinding }
  const login = { database: 'saas', user: 'app', password: 'usher', tls }
  const target = { host: 'db.example', port: 5432, ...login }
  const exchange = { address: target, reader, target, socket, notices: [] }
  return { server, proven: proveLogin(exchange) }
}
