import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { probeTenant } from '../../src/server/open/probe-tenant.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'
import {
  authenticationOk,
  errorResponse,
  noticeResponse,
  parameterStatus,
  readyForQuery,
} from '../../src/wire/backend-messages.ts'
import {
  type ScriptedServer,
  type ScriptStep,
  startScriptedServer,
} from '../support/scripted-server.ts'

const DATABASE: Tenancy = { strategy: 'database' }
const SCHEMA: Tenancy = {
  strategy: 'schema',
  searchPath: ['tenant_acme', 'shared'],
  setting: 'app.tenant_id',
}
const ROW: Tenancy = {
  strategy: 'row',
  searchPath: ['public'],
  setting: 'app.tenant_id',
  value: '42',
}

const LOGIN_FAILED = { code: 'SERVER_LOGIN_FAILED' }
const UNREACHABLE = { code: 'SERVER_UNREACHABLE' }

const ROW_DESCRIPTION = message('T', `\0\x01exists\0${'\0'.repeat(18)}`)
const TRUE_ROW = message('D', '\0\x01\0\0\0\x01t')
const FALSE_ROW = message('D', '\0\x01\0\0\0\x01f')
const COMPLETE = message('C', 'SELECT 1\0')
const READY = readyForQuery('I')
const NOTICE = noticeResponse({ severity: 'NOTICE', code: '00000', message: 'hello' })
const STATUS = parameterStatus('TimeZone', 'UTC')

const LOGGED_IN: readonly ScriptStep[] = [
  { expect: 'startup' },
  { send: Buffer.concat([authenticationOk(), READY]) },
]

/** A login, and what comes of the question behind it. */
function answers(...messages: readonly Buffer[]): readonly ScriptStep[] {
  return [...LOGGED_IN, { expect: 'Q' }, { send: Buffer.concat(messages) }, { expect: 'X' }]
}

t.test('asks for the schema alone, and says goodbye', async (t) => {
  const server = await start(t, answers(ROW_DESCRIPTION, TRUE_ROW, COMPLETE, READY))
  t.equal(await probe(server, SCHEMA), 'present')
  await server.clientGone
  const [startup, question, goodbye] = server.received.map((body) => body.toString())
  const parameters =
    'user\0app\0database\0saas\0search_path\0pg_catalog\0application_name\0pgusher probe\0\0'
  t.equal(startup, `\0\x03\0\0${parameters}`)
  t.match(question, /nspname = E'tenant_acme'/)
  t.notMatch(question, /shared/)
  t.equal(goodbye, '')
})

t.test('a schema that is not there is absent', async (t) => {
  const server = await start(t, answers(ROW_DESCRIPTION, FALSE_ROW, COMPLETE, READY))
  t.equal(await probe(server, SCHEMA), 'absent')
})

t.test('what the server remarks on the way is no answer', async (t) => {
  const remarks = [NOTICE, STATUS]
  const messages = [ROW_DESCRIPTION, TRUE_ROW, COMPLETE].flatMap((one) => [...remarks, one])
  const server = await start(t, [
    { expect: 'startup' },
    // The last one comes in two halves: behind the login, and before the answer.
    { send: Buffer.concat([authenticationOk(), READY, STATUS, STATUS.subarray(0, 7)]) },
    { expect: 'Q' },
    { send: Buffer.concat([STATUS.subarray(7), ...messages, READY]) },
  ])
  t.equal(await probe(server, SCHEMA), 'present')
})

const refusals = [
  { sqlState: '3D000', tenancy: DATABASE, expects: 'absent' },
  { sqlState: '3D000', tenancy: SCHEMA, expects: LOGIN_FAILED },
  ...['28P01', '28000', '53300', '55000', '57P03', '42501'].flatMap((sqlState) => [
    { sqlState, tenancy: DATABASE, expects: LOGIN_FAILED },
    { sqlState, tenancy: SCHEMA, expects: LOGIN_FAILED },
  ]),
]
for (const { sqlState, tenancy, expects } of refusals) {
  t.test(`${sqlState} for a login of strategy ${tenancy.strategy}`, async (t) => {
    const refusal = errorResponse({ severity: 'FATAL', code: sqlState, message: 'no way' })
    const server = await start(t, [{ expect: 'startup' }, { send: refusal }])
    const outcome = probe(server, tenancy)
    if (typeof expects === 'string') t.equal(await outcome, expects)
    else await t.rejects(outcome, { ...expects, serverSqlState: sqlState })
    await server.clientGone
  })
}

const error = errorResponse({ severity: 'ERROR', code: '42501', message: 'no way' })
const nonsense = [
  { name: 'no row', messages: [ROW_DESCRIPTION, COMPLETE, READY] },
  { name: 'no description', messages: [TRUE_ROW, COMPLETE, READY] },
  { name: 'two rows', messages: [ROW_DESCRIPTION, TRUE_ROW, FALSE_ROW, COMPLETE, READY] },
  { name: 'another value', messages: [ROW_DESCRIPTION, message('D', '\0\x01\0\0\0\x01x')] },
  { name: 'null', messages: [ROW_DESCRIPTION, message('D', '\0\x01\xff\xff\xff\xff')] },
  {
    name: 'two columns',
    messages: [ROW_DESCRIPTION, message('D', '\0\x02\0\0\0\x01t\0\0\0\x01t')],
  },
  { name: 'an empty row', messages: [ROW_DESCRIPTION, message('D', '')] },
  { name: 'a transaction', messages: [ROW_DESCRIPTION, TRUE_ROW, COMPLETE, readyForQuery('T')] },
  { name: 'nothing at all', messages: [READY] },
  { name: 'a second login', messages: [authenticationOk()] },
  { name: 'HTTP', messages: [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')] },
  { name: 'an error', messages: [error, READY] },
  { name: 'an error behind the row', messages: [ROW_DESCRIPTION, FALSE_ROW, error, READY] },
]
for (const { name, messages } of nonsense) {
  t.test(`a server that answers with ${name} has not answered`, async (t) => {
    const server = await start(t, [...LOGGED_IN, { expect: 'Q' }, send(messages)])
    await t.rejects(probe(server, SCHEMA), LOGIN_FAILED)
    await server.clientGone
  })
}

const silences = [
  { name: 'before the login', tenancy: DATABASE, steps: [{ expect: 'startup' }] },
  { name: 'before the answer', tenancy: SCHEMA, steps: [...LOGGED_IN, { expect: 'Q' }] },
  {
    name: 'in the middle of it',
    tenancy: SCHEMA,
    steps: [...LOGGED_IN, { expect: 'Q' }, send([ROW_DESCRIPTION, TRUE_ROW])],
  },
]
for (const { name, tenancy, steps } of silences) {
  t.test(`a server that hangs ${name} is unreachable`, async (t) => {
    const server = await start(t, steps)
    const { signal } = new AbortController()
    const outcome = probe(server, tenancy, { timeoutMs: 50, signal })
    await t.rejects(outcome, { ...UNREACHABLE, message: /50 ms/ })
    await server.clientGone
    t.equal(getEventListeners(signal, 'abort').length, 0)
  })

  t.test(`a server that hangs up ${name} is unreachable`, async (t) => {
    const server = await start(t, [...steps, { close: 'end' }])
    await t.rejects(probe(server, tenancy), UNREACHABLE)
  })
}

t.test('the signal ends a probe, and its connection', async (t) => {
  const server = await start(t, [...LOGGED_IN, { expect: 'Q' }])
  const controller = new AbortController()
  const outcome = probe(server, SCHEMA, { timeoutMs: 0, signal: controller.signal })
  await server.firstMessage
  controller.abort(new Error('drained'))
  await t.rejects(outcome, { ...UNREACHABLE, message: /drained/ })
  await server.clientGone
})

t.test('rows are not asked for', async (t) => {
  const server = await start(t, [])
  await server.stop()
  t.equal(await probe(server, ROW), 'present')
  await t.rejects(probe(server, DATABASE), UNREACHABLE)
})

async function start(t: Test, steps: readonly ScriptStep[]): Promise<ScriptedServer> {
  const server = await startScriptedServer(steps)
  t.teardown(() => server.stop().catch(() => {}))
  return server
}

function probe(
  { host, port }: ScriptedServer,
  tenancy: Tenancy,
  options = { timeoutMs: 10_000, signal: new AbortController().signal },
) {
  const target: ServerTarget = {
    host,
    port,
    database: 'saas',
    user: 'app',
    password: 'usher',
    tls: undefined,
  }
  return probeTenant(target, tenancy, options)
}

function send(messages: readonly Buffer[]): ScriptStep {
  return { send: Buffer.concat(messages) }
}

/** @param body - A character a byte. */
function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(`${type}\0\0\0\0${body}`, 'latin1')
  bytes.writeInt32BE(bytes.length - 1, 1)
  return bytes
}
