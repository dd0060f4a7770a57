import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import type { BackendMessage } from 'pg-protocol/dist/messages.js'
import { Parser } from 'pg-protocol/dist/parser.js'
import t from 'tap'
import * as backend from '../../src/wire/backend-messages.ts'
import * as frontend from '../../src/wire/frontend-messages.ts'
import { bytes } from './bytes.ts'

const NOTICE = { severity: 'NOTICE', code: '00000', message: 'm' } as const
const ERROR = { severity: 'FATAL', code: '28P01', message: 'm', detail: 'd', hint: 'h' } as const
const S_V_C = "53 'FATAL' 00 56 'FATAL' 00 43 '28P01' 00"

const BACKEND_ROWS = [
  { name: 'AuthenticationOk', made: backend.authenticationOk(), hex: '52 00000008 00000000' },
  {
    name: 'AuthenticationCleartextPassword',
    made: backend.authenticationCleartextPassword(),
    hex: '52 00000008 00000003',
  },
  {
    name: 'AuthenticationMD5Password',
    made: backend.authenticationMd5Password(bytes('deadbeef')),
    hex: '52 0000000c 00000005 deadbeef',
  },
  {
    name: 'AuthenticationSASL',
    made: backend.authenticationSasl(['AB', 'C']),
    hex: "52 0000000e 0000000a 'AB' 00 'C' 00 00",
  },
  {
    name: 'AuthenticationSASLContinue',
    made: backend.authenticationSaslContinue(bytes("'r=x'")),
    hex: "52 0000000b 0000000b 'r=x'",
  },
  {
    name: 'AuthenticationSASLFinal',
    made: backend.authenticationSaslFinal(bytes("'v=x'")),
    hex: "52 0000000b 0000000c 'v=x'",
  },
  {
    name: 'ParameterStatus',
    made: backend.parameterStatus('a', 'ä'),
    hex: '53 00000009 61 00 c3a4 00',
  },
  {
    name: 'BackendKeyData of 3.0',
    made: backend.backendKeyData(-2, bytes('01020304')),
    hex: '4b 0000000c fffffffe 01020304',
  },
  {
    name: 'BackendKeyData of 3.2',
    made: backend.backendKeyData(1, Buffer.alloc(32, 7)),
    hex: `4b 00000028 00000001 ${'07'.repeat(32)}`,
  },
  { name: 'ReadyForQuery, idle', made: backend.readyForQuery('I'), hex: '5a 00000005 49' },
  {
    name: 'ReadyForQuery, in transaction',
    made: backend.readyForQuery('T'),
    hex: '5a 00000005 54',
  },
  { name: 'ReadyForQuery, failed', made: backend.readyForQuery('E'), hex: '5a 00000005 45' },
  {
    name: 'ErrorResponse',
    made: backend.errorResponse(ERROR),
    hex: `45 00000023 ${S_V_C} 4d 'm' 00 44 'd' 00 48 'h' 00 00`,
  },
  {
    name: 'NoticeResponse',
    made: backend.noticeResponse(NOTICE),
    hex: "4e 0000001f 53 'NOTICE' 00 56 'NOTICE' 00 43 '00000' 00 4d 'm' 00 00",
  },
  {
    name: 'NegotiateProtocolVersion',
    made: backend.negotiateProtocolVersion(2, ['_pq_.x']),
    hex: "76 00000013 00030002 00000001 '_pq_.x' 00",
  },
  { name: 'ParseComplete', made: backend.parseComplete(), hex: '31 00000004' },
  { name: 'CloseComplete', made: backend.closeComplete(), hex: '33 00000004' },
]

const FRONTEND_ROWS = [
  { name: 'SSLRequest', made: frontend.sslRequest(), hex: '00000008 04d2162f' },
  {
    name: 'CancelRequest',
    made: frontend.cancelRequest(0xffffffff, bytes('0102030405')),
    hex: '00000011 04d2162e ffffffff 0102030405',
  },
  {
    name: 'StartupMessage',
    made: frontend.startupMessage(new Map([['user', 'ä']])),
    hex: '00000011 00030000 75736572 00 c3a4 00 00',
  },
  { name: 'PasswordMessage', made: frontend.passwordMessage('ä'), hex: '70 00000007 c3a4 00' },
  {
    name: 'SASLInitialResponse',
    made: frontend.saslInitialResponse('M', bytes("'n,,'")),
    hex: "70 0000000d 'M' 00 00000003 'n,,'",
  },
  { name: 'SASLResponse', made: frontend.saslResponse(bytes("'c='")), hex: "70 00000006 'c='" },
  { name: 'Query', made: frontend.query('ä;'), hex: '51 00000008 c3a43b 00' },
  {
    name: 'Parse',
    made: frontend.parse('s1', bytes("'x' 00 0001 00000017")),
    hex: "50 0000000f 's1' 00 'x' 00 0001 00000017",
  },
  { name: 'Close', made: frontend.closeStatement('s1'), hex: "43 00000008 53 's1' 00" },
  { name: 'Sync', made: frontend.sync(), hex: '53 00000004' },
  { name: 'Flush', made: frontend.flush(), hex: '48 00000004' },
  { name: 'Terminate', made: frontend.terminate(), hex: '58 00000004' },
]

for (const { name, made, hex } of [...BACKEND_ROWS, ...FRONTEND_ROWS]) {
  t.test(`writes ${name}`, async (t) => t.strictSame(made, bytes(hex)))
}

t.test('a NUL never ends a field early', async (t) => {
  const violation = { code: 'PROTOCOL_VIOLATION' }
  t.throws(() => backend.parameterStatus('a\0b', ''), violation)
  t.throws(() => backend.parameterStatus('a', 'b\0'), violation)
  t.throws(() => backend.authenticationSasl(['a\0b']), violation)
  t.throws(() => frontend.query('select 1\0; drop'), violation)
  t.throws(() => frontend.passwordMessage('a\0b'), violation)
  t.throws(() => frontend.closeStatement('a\0b'), violation)
  const report = backend.errorResponse({ ...ERROR, message: '\0m\0' })
  t.strictSame(report, backend.errorResponse(ERROR), 'but an error is reported all the same')
})

function parsed(...messages: readonly Buffer[]): readonly BackendMessage[] {
  const seen: BackendMessage[] = []
  new Parser().parse(Buffer.concat(messages), (message) => seen.push(message))
  return seen
}

t.test('pg-protocol reads the login of a client', async (t) => {
  const salt = bytes('01020304')
  t.match(
    parsed(
      backend.authenticationCleartextPassword(),
      backend.authenticationMd5Password(salt),
      backend.authenticationSasl(['SCRAM-SHA-256']),
      backend.authenticationSaslContinue(Buffer.from('r=1')),
      backend.authenticationSaslFinal(Buffer.from('v=1')),
      backend.authenticationOk(),
      backend.backendKeyData(9, salt),
    ),
    [
      { name: 'authenticationCleartextPassword' },
      { name: 'authenticationMD5Password', salt },
      { name: 'authenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
      { name: 'authenticationSASLContinue', data: 'r=1' },
      { name: 'authenticationSASLFinal', data: 'v=1' },
      { name: 'authenticationOk' },
      { name: 'backendKeyData', processID: 9, secretKey: 0x01020304 },
    ],
  )
})

const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))

t.test('pg-protocol reads every text as it was meant', async (t) => {
  fc.assert(
    fc.property(text, text, text, (name, value, hint) => {
      const fields = { severity: 'ERROR', code: '42501', message: value, hint } as const
      t.match(
        parsed(
          backend.parameterStatus(name, value),
          backend.errorResponse(fields),
          backend.noticeResponse({ ...fields, severity: 'WARNING', detail: name }),
          backend.parseComplete(),
          backend.closeComplete(),
          backend.readyForQuery('E'),
        ).map((message) => ({ ...message })),
        [
          { name: 'parameterStatus', parameterName: name, parameterValue: value },
          { name: 'error', severity: 'ERROR', code: '42501', hint },
          { name: 'notice', severity: 'WARNING', message: value, detail: name },
          { name: 'parseComplete' },
          { name: 'closeComplete' },
          { name: 'readyForQuery', status: 'E' },
        ],
      )
    }),
    { numRuns: 50 },
  )
})

t.test('writes what pg-protocol writes', async (t) => {
  fc.assert(
    fc.property(text, text, (name, sql) => {
      const tail = Buffer.concat([Buffer.from(sql), bytes('00 0001 00000017')])
      t.strictSame(frontend.query(sql), serialize.query(sql))
      t.strictSame(frontend.passwordMessage(sql), serialize.password(sql))
      t.strictSame(frontend.parse(name, tail), serialize.parse({ name, text: sql, types: [23] }))
      t.strictSame(frontend.closeStatement(name), serialize.close({ type: 'S', name }))
      t.strictSame(
        frontend.saslInitialResponse('M', Buffer.from(sql)),
        serialize.sendSASLInitialResponseMessage('M', sql),
      )
      t.strictSame(
        frontend.saslResponse(Buffer.from(sql)),
        serialize.sendSCRAMClientFinalMessage(sql),
      )
    }),
    { numRuns: 50 },
  )
  t.strictSame(frontend.sync(), serialize.sync())
  t.strictSame(frontend.flush(), serialize.flush())
  t.strictSame(frontend.terminate(), serialize.end())
})
