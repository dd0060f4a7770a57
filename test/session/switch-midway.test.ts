import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { silentLogger } from '../../src/base/logger.ts'
import type { Resolution } from '../../src/catalog/catalog.ts'
import type { Route } from '../../src/catalog/route.ts'
import { Pauses } from '../../src/limits/pauses.ts'
import { TenantGate } from '../../src/limits/tenant-gate.ts'
import { Lease } from '../../src/pool/lease.ts'
import type { Admission } from '../../src/session/admission.ts'
import { Session } from '../../src/session/session.ts'
import type { TenantObserver } from '../../src/session/session-observer.ts'
import type { SessionParts } from '../../src/session/session-parts.ts'
import { Sessions } from '../../src/session/sessions.ts'
import { buildLink } from '../../src/tenancy/link.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { message } from '../../src/wire/byte-writer.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { ROUTE, SCRAM_SECRET } from '../auth/auth-fixture.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeServer } from '../support/fake-server.ts'

const KEPT: Route = { ...ROUTE, pool: { ...ROUTE.pool, mode: 'session' } }
const GLOBEX: Route = { ...KEPT, tenant: 'globex' as TenantName }
const NOTIFICATION = message(BackendCode.notificationResponse, Buffer.alloc(40))

const UNOBSERVED: TenantObserver = {
  requestEnded() {},
  transactionEnded() {},
  checkedOut() {},
  leaseEnded() {},
  errorReported() {},
}

/** A client's end without a network. */
class FakeClient extends Duplex {
  readonly heard: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.heard.push(chunk)
    done()
  }

  /** As sockets have it. */
  destroySoon(): void {
    this.end(() => this.destroy())
  }
}

/** A session in session mode, and a catalog that answers when it is told to. */
function begin() {
  const server = new FakeServer()
  const ends: string[] = []
  const lender = { takeBack: () => ends.push('release'), giveUp: () => ends.push('discard') }
  const lease = new Lease(server.connection(), lender)
  let resolve = (_answer: Resolution) => {}
  const promise = new Promise<Resolution>((done) => {
    resolve = done
  })
  const gate = new TenantGate()
  gate.tryEnter(KEPT.tenant, 0)
  const closed: (string | undefined)[] = []
  const parts = {
    options: () => ({ tag: { parameter: true }, changeGraceMs: 0 }),
    catalog: { resolve: () => promise },
    pools: { leave() {} },
    cancelKeys: { revoke() {} },
    tenantGate: gate,
    pauses: new Pauses(),
    sessions: new Sessions(),
    follower: { changes: 0, admitted() {} },
    observer: {
      closed: (_tenant: string, error?: { code: string }) => closed.push(error?.code),
      tenantSwitched() {},
      tenant: () => UNOBSERVED,
    },
    logger: silentLogger,
    clock: new FakeClock(),
  } as unknown as SessionParts
  const admission = {
    id: 1,
    route: KEPT,
    credential: { method: 'scram-sha-256', secret: SCRAM_SECRET },
    isTenantCertified: false,
    since: 0,
    pool: {},
    link: buildLink(KEPT, []),
    options: { requestBytes: 1_000, cancelMs: 0 },
    parameters: lease.server.parameters,
    settings: new Map(),
    lease,
  } as unknown as Admission
  const client = new FakeClient()
  new Session(client as unknown as Socket, admission, parts).start(1, Buffer.alloc(0))
  return { server, client, ends, closed, gate, resolve: (answer: Resolution) => resolve(answer) }
}

const ANSWERS: Readonly<Record<string, Resolution>> = {
  permitted: { kind: 'route', route: GLOBEX, secret: SCRAM_SECRET, isSuspended: false },
  refused: { kind: 'refused', reason: 'notGranted', secret: SCRAM_SECRET },
}

for (const [name, answer] of Object.entries(ANSWERS)) {
  t.test(`nothing is said into the middle of a message: ${name}`, async (t) => {
    const { server, client, ends, closed, gate, resolve } = begin()
    client.push(query("SET pgusher.tenant = 'globex'"))
    await turn()
    server.say(NOTIFICATION.subarray(0, 20))
    resolve(answer)
    await turn()
    t.strictSame(Buffer.concat(client.heard), NOTIFICATION.subarray(0, 20))
    t.strictSame(ends, ['discard'])
    t.strictSame(closed, ['TENANT_SWITCH_FAILED'])
    t.equal(gate.tenantCount, 0)
  })
}

t.test('a whole message is passed on, and it stays where it is', async (t) => {
  const { server, client, ends, closed, resolve } = begin()
  client.push(query("SET pgusher.tenant = 'globex'"))
  await turn()
  server.say(NOTIFICATION)
  resolve(ANSWERS['refused'] as Resolution)
  await turn()
  t.match(Buffer.concat(client.heard).toString('latin1'), /^A.*C42501\0/s)
  t.strictSame([ends, closed], [[], []])
})
