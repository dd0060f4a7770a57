import t from 'tap'
import { idleStep, keptStep } from '../../src/session/client-step.ts'
import { OwnRequests } from '../../src/session/switch/own-requests.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { terminate } from '../../src/wire/frontend-messages.ts'
import { copyDataBytes } from '../support/frontend-bytes.ts'
import { bind, execute, parse, query, sync } from '../support/raw-client.ts'

const MAX_BYTES = 10_000
const SELECT = query('SELECT 1')
const SET = query("SET pgusher.tenant = 'globex'")
const SHOW = query('SHOW pgusher.tenant')
const NOTHING = Buffer.alloc(0)

const begin = () => new OwnRequests('acme' as TenantName)
const idle = (...bytes: Buffer[]) => idleStep(Buffer.concat(bytes), begin(), MAX_BYTES)
const kept = (...bytes: Buffer[]) => keptStep(Buffer.concat(bytes), begin())

t.test('without a server connection', async (t) => {
  t.strictSame(idle(), { kind: 'wait', held: undefined })
  t.strictSame(idle(SELECT, SET), { kind: 'serve', bytes: Buffer.concat([SELECT, SET]) })
  t.strictSame(idle(SELECT.subarray(0, 7)), { kind: 'wait', held: SELECT.subarray(0, 7) })
  t.match(idle(SET, SELECT), { kind: 'switch', rest: SELECT })
  t.match(idle(SHOW, SET), { kind: 'answer', rest: SET })
  t.strictSame(idle(terminate(), SELECT), { kind: 'leave' })
  t.strictSame(idle(copyDataBytes('late'), SELECT), { kind: 'serve', bytes: SELECT })
  t.strictSame(idle(copyDataBytes('late')), { kind: 'wait', held: undefined })
  t.throws(() => idle(Buffer.from('?\0\0\0\x04')), { code: 'PROTOCOL_VIOLATION' })
})

t.test('a request that is too long to be held is served', async (t) => {
  const bytes = query('x'.repeat(2 * MAX_BYTES)).subarray(0, -1)
  t.strictSame(idle(bytes), { kind: 'serve', bytes })
})

t.test('with one that is kept', async (t) => {
  t.strictSame(kept(), { kind: 'wait', held: undefined })
  t.strictSame(kept(SET.subarray(0, 9)), { kind: 'wait', held: SET.subarray(0, 9) })
  t.match(kept(SET, SHOW), { kind: 'switch', rest: SHOW })
  t.match(kept(SHOW), { kind: 'answer', rest: NOTHING })
  const begun = parse('s', 'SELECT 1')
  t.strictSame(kept(begun), { kind: 'serve', bytes: begun })
  t.strictSame(kept(terminate()), { kind: 'serve', bytes: terminate() }, 'the server hears it')
})

t.test('what goes to the server makes it forget what was prepared', async (t) => {
  const own = begin()
  const use = Buffer.concat([bind('', 's'), execute(), sync])
  const set = Buffer.concat([parse('s', "SET pgusher.tenant = 'globex'"), sync])
  t.match(keptStep(set, own), { kind: 'answer' })
  t.match(keptStep(use, own), { kind: 'switch' })
  t.match(idleStep(SELECT, own, MAX_BYTES), { kind: 'serve' })
  t.match(keptStep(use, own), { kind: 'serve' })
})
