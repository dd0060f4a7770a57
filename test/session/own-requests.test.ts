import t from 'tap'
import { OwnRequests } from '../../src/session/switch/own-requests.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import {
  bind,
  close,
  describe,
  execute,
  flush,
  frame,
  int16,
  int32,
  parse,
  query,
  sync,
  text,
} from '../support/raw-client.ts'

const SET = "SET pgusher.tenant = 'globex'"
const COMMAND = { kind: 'switch', tag: 'SET', tenant: 'globex' }
/** With formats for its results, as some drivers ask for binary ones. */
const BINARY = frame('B', text('p'), text('s'), int16(1), int16(1), int16(0), int16(1), int16(1))

function begin(): OwnRequests {
  return new OwnRequests('acme' as TenantName)
}

function letters(bytes: Buffer): string {
  let codes = ''
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    codes += bytes.toString('latin1', at, at + 1)
  }
  return codes
}

/** What is answered ahead of the command, for each way to ask for one. */
const WAYS: readonly { readonly name: string; readonly bytes: Buffer; readonly before: string }[] =
  [
    { name: 'a query', bytes: query(SET), before: '' },
    {
      name: 'unnamed',
      bytes: Buffer.concat([parse('', SET), bind('', ''), describe('P', ''), execute(), sync]),
      before: '12n',
    },
    {
      name: 'named, with a portal and formats',
      bytes: Buffer.concat([
        parse('s', SET),
        describe('S', 's'),
        BINARY,
        describe('P', 'p'),
        execute('p'),
        sync,
      ]),
      before: '1tn2n',
    },
    {
      name: 'without Describe',
      bytes: Buffer.concat([parse('', SET), bind('', ''), execute('', 1), sync]),
      before: '12',
    },
  ]

for (const { name, bytes, before } of WAYS) {
  t.test(`${name}: a change of tenant`, async (t) => {
    t.equal(begin().isOther(bytes), false)
    const request = begin().read(Buffer.concat([bytes, query('SELECT 1')]))
    if (request?.kind !== 'switch') {
      t.fail('not recognised')
      return
    }
    t.strictSame(request.command, COMMAND)
    t.equal(letters(request.before), before)
    t.equal(request.bytes, bytes.length, 'what follows is left')
  })
}

t.test('prepared first', async (t) => {
  const own = begin()
  const prepared = own.read(Buffer.concat([parse('s', SET), describe('S', 's'), sync]))
  if (prepared?.kind !== 'answered') {
    t.fail('not prepared')
    return
  }
  t.equal(letters(prepared.reply), '1tnZ')
  const use = Buffer.concat([bind('', 's'), describe('P', ''), execute(), sync])
  t.match(own.read(use), { kind: 'switch', command: COMMAND })
  t.equal(own.read(Buffer.concat([bind('', 'other'), execute(), sync])), undefined)
  t.equal(own.read(use), undefined, 'behind a request to the server it is gone')
})

t.test('SHOW', async (t) => {
  const request = begin().read(query('SHOW pgusher.tenant'))
  if (request?.kind !== 'answered') {
    t.fail('not answered')
    return
  }
  t.equal(letters(request.reply), 'TDCZ')
  t.match(request.reply.toString('latin1'), /pgusher\.tenant\0.*acme.*SHOW\0/s)
})

/** Requests to the server, or such as nobody could answer in its place. */
const OTHERS: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'another query', bytes: query('SELECT 1') },
  { name: 'half a query', bytes: query(SET).subarray(0, -1) },
  { name: 'too long', bytes: query(`${SET} --${'x'.repeat(5_000)}`) },
  {
    name: 'SHOW by the extended protocol',
    bytes: Buffer.concat([parse('', 'SHOW pgusher.tenant'), bind('', ''), execute(), sync]),
  },
  { name: 'no Sync', bytes: Buffer.concat([parse('', SET), bind('', ''), execute()]) },
  { name: 'a Flush', bytes: Buffer.concat([parse('s', SET), describe('S', 's'), flush]) },
  {
    name: 'with more in its batch',
    bytes: Buffer.concat([
      ...[parse('', SET), bind('', ''), execute()],
      ...[parse('', 'SELECT 1'), bind('', ''), execute(), sync],
    ]),
  },
  {
    name: 'twice in its batch',
    bytes: Buffer.concat([parse('', SET), bind('', ''), execute(), execute(), sync]),
  },
  {
    name: 'a value too many',
    bytes: Buffer.concat([parse('', SET), bind('', '', ['x']), execute(), sync]),
  },
  {
    name: 'another statement',
    bytes: Buffer.concat([parse('s', SET), bind('', 'r'), execute(), sync]),
  },
  {
    name: 'another portal',
    bytes: Buffer.concat([parse('', SET), bind('p', ''), execute(), sync]),
  },
  { name: 'a Close', bytes: Buffer.concat([close('S', 's'), parse('s', SET), sync]) },
  {
    name: 'Bind without an end',
    bytes: Buffer.concat([parse('', SET), frame('B', Buffer.from('x')), execute(), sync]),
  },
]

for (const { name, bytes } of OTHERS) {
  t.test(`not the proxy's: ${name}`, async (t) => t.equal(begin().read(bytes), undefined))
  t.test(`whole: ${name}`, async (t) => {
    const isWaitedFor = ['half a query', 'no Sync'].includes(name)
    t.equal(begin().isUnfinished(bytes), isWaitedFor)
  })
}

t.test('cut anywhere, it waits or passes, and never throws', async (t) => {
  for (const { bytes } of WAYS) {
    for (let length = 0; length < bytes.length; length += 1) {
      const beginning = bytes.subarray(0, length)
      t.equal(begin().read(beginning), undefined)
      t.equal(begin().isUnfinished(beginning), length > 0)
      t.equal(begin().isOther(beginning), length === 0)
    }
  }
})

t.test('for a message without an end, nobody waits', async (t) => {
  for (const length of [0, 3]) {
    const broken = Buffer.concat([Buffer.from('Q'), int32(length)])
    t.equal(begin().isUnfinished(broken), false)
    t.equal(begin().isUnfinished(Buffer.concat([parse('', SET), broken])), false)
  }
})
