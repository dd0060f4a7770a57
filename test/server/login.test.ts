import { getEventListeners } from 'node:events'
import { Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { type OpenServerOptions, openServer } from '../../src/server/open/login.ts'
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  backendKeyData,
  errorResponse,
  noticeResponse,
  parameterStatus,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import { deriveVerifier } from '../../src/wire/scram/scram.ts'
import { ScramServer } from '../../src/wire/scram/scram-server.ts'
import {
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
} from '../support/scripted-server.ts'

const PASSWORD = 'usher'
const UNREACHABLE = { code: 'SERVER_UNREACHABLE', sqlState: '08001', origin: 'server' }
const LOGIN_FAILED = { code: 'SERVER_LOGIN_FAILED', sqlState: '08001', origin: 'server' }
const BROKEN = { ...LOGIN_FAILED, isPermanent: false, serverSqlState: undefined }

const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const NOTICE = noticeResponse({ severity: 'NOTICE', code: '00000', message: 'hello' })
const GREETING = Buffer.concat([
  parameterStatus('server_version', '18.4'),
  NOTICE,
  parameterStatus('TimeZone', 'UTC'),
  backendKeyData(4711, KEY),
  readyForQuery('I'),
])

const STARTED: ScriptStep = { expect: 'startup' }
const ANSWERED: ScriptStep = { expect: 'p' }

t.test('hands over what the server told of itself', async (t) => {
  const server = await start(t, [STARTED, { send: authenticationOk() }, { send: GREETING }])
  const opened = await open(server, { startupParameters: [['application_name', 'usher']] })
  t.equal(opened.processId, 4711)
  t.strictSame(opened.secretKey, KEY)
  t.strictSame(
    [...opened.parameters],
    [
      ['server_version', '18.4'],
      ['TimeZone', 'UTC'],
    ],
  )
  t.equal(opened.rest.length, 0)
  const parameters = 'user\0app\0database\0saas\0application_name\0usher\0\0'
  t.equal(server.received[0]?.toString('latin1'), `\0\x03\0\0${parameters}`)
  opened.socket.destroy()
})

t.test('leaves the socket paused and without listeners', async (t) => {
  const server = await start(t, [STARTED, { send: authenticationOk() }, { send: GREETING }])
  const { signal } = new AbortController()
  const { socket } = await open(server, { signal })
  t.equal(socket.isPaused(), true)
  const bare = new Socket()
  for (const name of ['data', 'error', 'close', 'connect', 'end', 'readable', 'timeout']) {
    t.equal(socket.listenerCount(name), bare.listenerCount(name), name)
  }
  t.equal(getEventListeners(signal, 'abort').length, 0)
  socket.destroy()
})

t.test('bytes after ReadyForQuery are not lost', async (t) => {
  const all = Buffer.concat([authenticationOk(), GREETING, NOTICE.subarray(0, 7)])
  const server = await start(t, [STARTED, { send: all }])
  const { rest, socket } = await open(server)
  t.strictSame(rest, NOTICE.subarray(0, 7))
  socket.destroy()
})

t.test('a greeting in single bytes reads the same', async (t) => {
  const all = Buffer.concat([authenticationOk(), GREETING])
  const steps = [...all].map((byte) => ({ send: Buffer.of(byte) }))
  const { parameters, socket } = await open(await start(t, [STARTED, ...steps]))
  t.equal(parameters.get('TimeZone'), 'UTC')
  socket.destroy()
})

t.test('a server without cancel keys is accepted', async (t) => {
  const all = Buffer.concat([authenticationOk(), readyForQuery('I')])
  const { processId, secretKey, socket } = await open(await start(t, [STARTED, { send: all }]))
  t.strictSame([processId, secretKey.length], [0, 0])
  socket.destroy()
})

const refusals = [
  { sqlState: '28P01', isPermanent: true },
  { sqlState: '28000', isPermanent: true },
  { sqlState: '3D000', isPermanent: true },
  { sqlState: '53300', isPermanent: false },
  { sqlState: '57P03', isPermanent: false },
]
for (const { sqlState, isPermanent } of refusals) {
  const hint = isPermanent ? 'permanent' : 'passing'
  const refusal = errorResponse({ severity: 'FATAL', code: sqlState, message: 'no way' })
  const expected = {
    ...LOGIN_FAILED,
    isPermanent,
    serverSqlState: sqlState,
    serverMessage: 'no way',
  }

  t.test(`${sqlState} before authentication is a ${hint} refusal`, async (t) => {
    const server = await start(t, [STARTED, { send: refusal }, { close: 'end' }])
    const error = await failure(server)
    t.match(error, expected)
    t.notMatch(error.clientMessage, /no way|127\.0\.0\.1/)
  })

  t.test(`${sqlState} after authentication is a ${hint} refusal`, async (t) => {
    const steps = [STARTED, { send: authenticationOk() }, { send: refusal }]
    t.match(await failure(await start(t, steps)), expected)
  })
}

const earlyEnds = [
  { name: 'closes at once', steps: [{ close: 'end' }] },
  { name: 'closes after the startup packet', steps: [STARTED, { close: 'end' }] },
  { name: 'resets after the startup packet', steps: [STARTED, { close: 'reset' }] },
  {
    name: 'closes in the middle of a message',
    steps: [STARTED, { send: authenticationOk().subarray(0, 6) }, { close: 'end' }],
  },
  {
    name: 'closes before ReadyForQuery',
    steps: [STARTED, { send: authenticationOk() }, { close: 'end' }],
  },
] as const
for (const { name, steps } of earlyEnds) {
  t.test(`a server that ${name} is unreachable`, async (t) => {
    t.match(await failure(await start(t, steps)), UNREACHABLE)
  })
}

const silences = [
  { name: 'never answers', steps: [STARTED] },
  { name: 'stops after AuthenticationOk', steps: [STARTED, { send: authenticationOk() }] },
  { name: 'goes on with notices', steps: [STARTED, { send: NOTICE }, { send: NOTICE }] },
]
for (const { name, steps } of silences) {
  t.test(`a server that ${name} runs into the timeout`, async (t) => {
    const server = await start(t, steps)
    t.match(await failure(server, { timeoutMs: 50 }), { ...UNREACHABLE, message: /50 ms/ })
  })
}

t.test('the signal ends a login, and its socket', async (t) => {
  const server = await start(t, [STARTED, { send: authenticationOk() }])
  const controller = new AbortController()
  const outcome = failure(server, { timeoutMs: 0, signal: controller.signal })
  await server.firstMessage
  controller.abort(new Error('drained'))
  t.match(await outcome, { ...UNREACHABLE, message: /drained/ })
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
})

const violations = [
  { name: 'speaks HTTP', bytes: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
  { name: 'claims a message over 1 MiB', bytes: head('R', 1024 * 1024) },
  { name: 'claims a message of negative length', bytes: head('R', -1) },
  {
    name: 'sends a cut AuthenticationOk',
    bytes: Buffer.from('5200000006 0000'.replace(' ', ''), 'hex'),
  },
  { name: 'is ready before it authenticates', bytes: readyForQuery('I') },
  {
    name: 'starts inside a transaction',
    bytes: Buffer.concat([authenticationOk(), readyForQuery('T')]),
  },
  { name: 'authenticates twice', bytes: Buffer.concat([authenticationOk(), authenticationOk()]) },
  { name: 'sends a cut BackendKeyData', bytes: Buffer.concat([authenticationOk(), head('K', 4)]) },
  { name: 'begins with SASLFinal', bytes: authenticationSaslFinal(Buffer.from('v=AA==')) },
]
for (const { name, bytes } of violations) {
  t.test(`a server that ${name} is refused`, async (t) => {
    t.match(await failure(await start(t, [STARTED, { send: bytes }])), LOGIN_FAILED)
  })
}

t.test('logs in by SCRAM', async (t) => {
  const opened = await open(await start(t, scramSteps({})))
  t.equal(opened.processId, 4711)
  opened.socket.destroy()
})

t.test('a server that can not sign does not know the password', async (t) => {
  const forged = authenticationSaslFinal(Buffer.from(`v=${Buffer.alloc(32).toString('base64')}`))
  t.match(await failure(await start(t, scramSteps({ final: forged }))), BROKEN)
})

t.test('a server that skips its own proof is refused', async (t) => {
  t.match(await failure(await start(t, scramSteps({ final: Buffer.alloc(0) }))), BROKEN)
})

t.test('a challenge for another client is refused', async (t) => {
  const first = Buffer.from(`r=foreign,s=${Buffer.alloc(16).toString('base64')},i=4096`)
  const steps = [
    STARTED,
    { send: authenticationSasl(['SCRAM-SHA-256']) },
    ANSWERED,
    { send: authenticationSaslContinue(first) },
  ]
  t.match(await failure(await start(t, steps)), BROKEN)
})

const hopeless = [
  { name: 'only other SASL mechanisms', bytes: authenticationSasl(['OAUTHBEARER']) },
  { name: 'Kerberos', bytes: Buffer.from('520000000800000007', 'hex') },
]
for (const { name, bytes } of hopeless) {
  t.test(`a server that asks for ${name} won't do better later`, async (t) => {
    const error = await failure(await start(t, [STARTED, { send: bytes }]))
    t.match(error, { ...LOGIN_FAILED, isPermanent: true, serverSqlState: undefined })
  })
}

const questions = [
  { name: 'a cleartext password', bytes: authenticationCleartextPassword() },
  { name: 'an md5 password', bytes: authenticationMd5Password(Buffer.alloc(4)) },
  { name: 'SCRAM', bytes: authenticationSasl(['SCRAM-SHA-256']) },
]
for (const { name, bytes } of questions) {
  t.test(`without a password, a server that asks for ${name} is hopeless`, async (t) => {
    const server = await start(t, [STARTED, { send: bytes }])
    const error = await failure(server, {}, { password: undefined })
    t.match(error, { ...LOGIN_FAILED, isPermanent: true })
  })
}

t.test('a startup parameter without a name is our own mistake', async (t) => {
  const server = await start(t, [])
  const outcome = open(server, { startupParameters: [['', 'x']] })
  await t.rejects(outcome, { code: 'PROTOCOL_VIOLATION' })
})

function scramSteps({ final }: { readonly final?: Buffer }): readonly ScriptStep[] {
  const scram = new ScramServer(deriveVerifier(PASSWORD))
  const challenge = (body: Buffer) => scram.start(body.subarray('SCRAM-SHA-256\0'.length + 4))
  const sign = (body: Buffer) => scram.finish(body)?.signature ?? Buffer.alloc(0)
  return [
    STARTED,
    { send: authenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']) },
    ANSWERED,
    { send: (body) => authenticationSaslContinue(challenge(body)) },
    ANSWERED,
    { send: (body) => final ?? authenticationSaslFinal(sign(body)) },
    { send: authenticationOk() },
    { send: GREETING },
  ]
}

async function start(t: Test, steps: readonly ScriptStep[]): Promise<ScriptedServer> {
  const server = await startScriptedServer(steps)
  t.teardown(server.stop)
  return server
}

function open(server: ScriptedServer, options: Partial<OpenServerOptions> = {}) {
  return openServer(targetOf(server), { startupParameters: [], timeoutMs: 10_000, ...options })
}

/** The error of a login that must fail, once its connection is gone too. */
async function failure(
  server: ScriptedServer,
  options: Partial<OpenServerOptions> = {},
  changes: Partial<ServerTarget> = {},
) {
  const target = { ...targetOf(server), ...changes }
  const attempt = openServer(target, { startupParameters: [], timeoutMs: 10_000, ...options })
  const error = await attempt.then(
    () => {
      throw new Error('the login went through')
    },
    (error) => error,
  )
  await server.clientGone
  return error
}

function targetOf({ host, port }: ScriptedServer): ServerTarget {
  return { host, port, database: 'saas', user: 'app', password: PASSWORD, tls: undefined }
}

function head(type: string, lengthWord: number): Buffer {
  const bytes = Buffer.alloc(5, type, 'latin1')
  bytes.writeInt32BE(lengthWord, 1)
  return bytes
}
