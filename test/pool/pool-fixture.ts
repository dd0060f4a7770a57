import { setImmediate as turn } from 'node:timers/promises'
import type { ProxyError } from '../../src/base/proxy-error.ts'
import type { PoolMode } from '../../src/catalog/route.ts'
import type { Lease } from '../../src/pool/lease.ts'
import { Pool } from '../../src/pool/pool.ts'
import type { ResetKind } from '../../src/pool/pool-observer.ts'
import type { PoolOptions } from '../../src/pool/pool-options.ts'
import type { PoolParts } from '../../src/pool/pool-parts.ts'
import type { Waiter } from '../../src/pool/waiter.ts'
import type { OpenedServer } from '../../src/server/open/login.ts'
import type { ReplySink } from '../../src/server/reply-sink.ts'
import { buildLink, type Link } from '../../src/tenancy/link.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeServer, linkReplies } from '../support/fake-server.ts'

const OPTIONS: PoolOptions = {
  size: 2,
  maxConnecting: 2,
  connectTimeoutMs: 1_000,
  idleServerMs: 0,
  serverLifetimeMs: 0,
  lifetimeJitter: 0,
  maxWaiting: 100,
  maxPreparedStatements: 10,
  maxPreparedBytes: 1_000_000,
  backoffMinMs: 100,
  backoffMaxMs: 1_000,
}

export const DEAF: ReplySink = {
  replyBytes() {},
  linked() {},
  factsTold() {},
  plansChanged() {},
  statementsDropped() {},
  errorReported() {},
  settled() {},
  drained() {},
  lost() {},
}

export function linkOf(tenant: string, settings: Readonly<Record<string, string>> = {}): Link {
  const source = {
    tenant,
    version: 1,
    tenancy: { strategy: 'schema', searchPath: [tenant], setting: 'app.tenant_id' },
    isolation: 'convenience',
    settings: [],
    role: undefined,
  } as const
  const clientSettings = Object.entries(settings).map(([name, value]) => ({ name, value }))
  return buildLink(source, clientSettings)
}

/** A session that wants a connection, and what it heard. */
export class Guest implements Waiter {
  readonly link: Link
  readonly mode: PoolMode
  readonly waitMs: number
  lease: Lease | undefined
  error: ProxyError | undefined
  heard = 0

  constructor(link: Link = linkOf('acme'), waitMs = 0, mode: PoolMode = 'transaction') {
    this.link = link
    this.mode = mode
    this.waitMs = waitMs
  }

  granted(lease: Lease): void {
    this.heard += 1
    this.lease = lease
  }

  refused(error: ProxyError): void {
    this.heard += 1
    this.error = error
  }
}

/** A pool whose logins end when the test says so. */
export class PoolRig {
  readonly clock = new FakeClock()
  readonly pool: Pool
  readonly events: string[] = []
  readonly servers: FakeServer[] = []
  /** The link that each connection was opened for; `undefined` for the resting state. */
  readonly homes: (Link | undefined)[] = []
  readonly resets: ResetKind[] = []
  readonly #openings: PromiseWithResolversOf<OpenedServer>[] = []

  constructor(options: Partial<PoolOptions> = {}, parts: Partial<PoolParts> = {}) {
    this.pool = new Pool({
      name: 'pool',
      address: { host: 'db', port: 5432 },
      options: { ...OPTIONS, ...options },
      clock: this.clock,
      random: () => 0,
      open: (home) => {
        this.homes.push(home)
        const opening = deferred<OpenedServer>()
        this.#openings.push(opening)
        return opening.promise
      },
      observer: {
        serverOpened: () => this.events.push('opened'),
        serverFailed: (_pool, error) => this.events.push(`failed ${codeOf(error)}`),
        serverClosed: (_pool, reason) => this.events.push(`closed ${reason}`),
        checkedOut: (_pool, waitMs) => this.events.push(`out ${waitMs}`),
        checkoutRefused: (_pool, error) => this.events.push(`refused ${codeOf(error)}`),
        wasReset: (kind) => this.resets.push(kind),
        violated: (tenant, kind) => this.events.push(`violated ${tenant} ${kind}`),
      },
      signer: () => undefined,
      ...parts,
    })
  }

  /** Logins that are under way. */
  get opening(): number {
    return this.#openings.length
  }

  /** Ends the oldest login well. */
  async opens(rest?: Buffer): Promise<FakeServer> {
    const server = new FakeServer()
    this.servers.push(server)
    this.#openings.shift()?.resolve(server.opened(rest))
    await turn()
    return server
  }

  async fails(error: Error): Promise<void> {
    this.#openings.shift()?.reject(error)
    await turn()
  }

  /** Asks for a connection. */
  guest(link?: Link, waitMs?: number, mode?: PoolMode): Guest {
    const guest = new Guest(link, waitMs, mode)
    const lease = this.pool.checkout(guest)
    if (lease !== undefined) guest.granted(lease)
    return guest
  }

  /** Asks for one, and opens it. */
  async guestWithServer(link?: Link): Promise<{ guest: Guest; server: FakeServer }> {
    const guest = this.guest(link)
    return { guest, server: await this.opens() }
  }

  /** Links what a guest has got, as a relay would. */
  linkUp(guest: Guest): void {
    const { server } = leaseOf(guest)
    server.attach(DEAF)
    const request = server.beginLink(guest.link)
    if (request === undefined) return
    server.write(request.bytes)
    this.servers.find(({ written }) => written.length > 0)?.answer(linkReplies())
  }
}

export function leaseOf(guest: Guest): Lease {
  if (guest.lease === undefined) throw new Error('no lease was granted')
  return guest.lease
}

interface PromiseWithResolversOf<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

function deferred<T>(): PromiseWithResolversOf<T> {
  let settle: Pick<PromiseWithResolversOf<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  if (settle === undefined) throw new Error('unreachable')
  return { promise, ...settle }
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : 'no code'
}
