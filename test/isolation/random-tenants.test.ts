import { randomInt } from 'node:crypto'
import t, { type Test } from 'tap'
import { processEnvironment } from '../../src/config/sources/process-environment.ts'
import { type PostgresServer, sql } from '../support/postgres.ts'
import type { PostgresMajor } from '../support/postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import {
  fields,
  keyOf,
  query,
  RawClient,
  type RawFrame,
  type RawKey,
  rows,
  sendCancel,
} from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { DEEDS, type Wanderer } from './random-deeds.ts'
import { sealedSettings, startSealedTown } from './sealed-town.ts'

t.setTimeout(200_000)

const CLIENTS = 12
const STEPS = 100
const POOL = { size: 2, serverLoginSize: 2 }
const TIMEOUTS = { waitMs: 100_000 }
/** Repeat a run with PGUSHER_TEST_SEED. */
const SEED = Number(processEnvironment['PGUSHER_TEST_SEED'] ?? randomInt(2 ** 31))
/** In all that belongs to a tenant, and nowhere else. */
const TAG = /tag-([a-z]+)-7f3a/gi

const tagOf = (tenant: string) => `tag-${tenant}-7f3a`

interface Mix {
  readonly name: string
  readonly tenants: readonly string[]
  start(major: PostgresMajor): Promise<PostgresServer>
  settings(server: PostgresServer): Record<string, unknown>
}

const LEVELS: Readonly<Record<string, string>> = {
  globex: 'guarded',
  hooli: 'convenience',
  initech: 'convenience',
  initrode: 'guarded',
}
const ROW_IDS: Readonly<Record<string, string>> = { initech: '42', initrode: '43' }

const MIXES: readonly Mix[] = [
  {
    name: 'all strategies, convenience and guarded',
    tenants: ['acme', 'umbrella', ...Object.keys(LEVELS)],
    start: startSaas,
    settings(server) {
      const settings = saasSettings(server, { pool: POOL, timeouts: TIMEOUTS })
      const tenants = (settings['tenants'] as readonly { name: string }[]).map((tenant) => {
        const level = LEVELS[tenant.name]
        return level === undefined ? tenant : { ...tenant, isolation: { level } }
      })
      return { ...settings, tenants }
    },
  },
  {
    name: 'sealed',
    tenants: Object.keys(LEVELS),
    start: startSealedTown,
    settings: (server) => sealedSettings(server, { pool: POOL, timeouts: TIMEOUTS }),
  },
]

/** What is common to the clients of a run: the first thing that went wrong ends it. */
class Town {
  readonly proxy: TestProxy
  readonly tenants: readonly string[]
  readonly done = new Map<string, number>()
  /** Reads that found exactly their own. */
  reads = 0
  changes = 0
  wrong: string | undefined

  constructor(proxy: TestProxy, tenants: readonly string[]) {
    this.proxy = proxy
    this.tenants = tenants
  }

  fail(what: string): void {
    this.wrong ??= what
  }
}

/** Numbers that are the same for the same seed (mulberry32). */
function randomOf(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

class Client implements Wanderer {
  readonly random: (limit: number) => number
  readonly #town: Town
  #tenant: string
  /** While it changes its tenant, both may still be heard of. */
  #next: string | undefined
  #raw: RawClient | undefined
  #key: RawKey | undefined
  #deed = 'log in'

  constructor(town: Town, index: number) {
    this.#town = town
    this.random = randomOf(SEED + index)
    this.#tenant = town.tenants[index % town.tenants.length] as string
  }

  get tenant(): string {
    return this.#tenant
  }

  get tag(): string {
    return tagOf(this.#tenant)
  }

  async live(): Promise<void> {
    const deeds = Object.entries(DEEDS)
    for (let step = 0; step < STEPS && this.#town.wrong === undefined; step += 1) {
      const [name, deed] = deeds[this.random(deeds.length)] as (typeof deeds)[number]
      this.#deed = `step ${step}, ${name}`
      await deed(this)
      this.#town.done.set(name, (this.#town.done.get(name) ?? 0) + 1)
    }
    await this.#raw?.end()
  }

  async ask(...bytes: readonly Buffer[]): Promise<readonly RawFrame[]> {
    const raw = await this.#present()
    raw.send(...bytes)
    return this.#upToReady(raw)
  }

  async cancel(text: string): Promise<void> {
    const raw = await this.#present()
    const key = this.#key as RawKey
    raw.send(query(text))
    let isAnswered = false
    const answer = this.#upToReady(raw).then(() => {
      isAnswered = true
    })
    // One that comes before its query begins is lost.
    while (!isAnswered) await sendCancel(this.#town.proxy.port, key)
    await answer
  }

  async vanish(...bytes: readonly Buffer[]): Promise<void> {
    const raw = await this.#present()
    await new Promise((resolve) => raw.socket.write(Buffer.concat(bytes), resolve))
    raw.socket.destroy()
    await raw.closed
    this.#raw = undefined
    this.#tenant = this.#anyTenant()
  }

  async change(): Promise<void> {
    await this.ask(query('ROLLBACK'))
    const next = this.#anyTenant()
    this.#next = next
    const frames = await this.ask(query(`SET pgusher.tenant = '${next}'`))
    this.#next = undefined
    if (!frames.some(({ code }) => code === 'C')) return
    this.#tenant = next
    this.#town.changes += 1
  }

  expectOwnRows(frames: readonly RawFrame[]): void {
    if (frames.some(({ code }) => code === 'E') || frames.at(-1)?.code !== 'Z') return
    const owners = rows(frames)
    if (owners.length === 0) this.#fail('its own rows are gone')
    if (owners.some((owner) => owner !== this.tag)) this.#fail(`it found ${owners}`)
    this.#town.reads += 1
  }

  #anyTenant(): string {
    const { tenants } = this.#town
    return tenants[this.random(tenants.length)] as string
  }

  async #present(): Promise<RawClient> {
    if (this.#raw !== undefined && !this.#raw.isClosed) return this.#raw
    const raw = await RawClient.connect(this.#town.proxy.port)
    const frames = await raw.logIn({ user: `app.${this.#tenant}`, password: PASSWORD })
    frames.forEach(this.#watch)
    if (frames.at(-1)?.code !== 'Z') this.#fail(`login: ${fields(frames.at(-1))['M']}`)
    else this.#key = keyOf(frames)
    this.#raw = raw
    return raw
  }

  /** Frames are looked at as they come, also those behind which the proxy hangs up. */
  async #upToReady(raw: RawClient): Promise<readonly RawFrame[]> {
    const frames: RawFrame[] = []
    for (;;) {
      const next = await raw.next()
      if (next === undefined) return frames
      this.#watch(next)
      frames.push(next)
      if (next.code === 'Z') return frames
    }
  }

  readonly #watch = ({ code, body }: RawFrame): void => {
    const text = body.toString('latin1')
    for (const [tag] of text.matchAll(TAG)) {
      const isOwn = tag === this.tag || (this.#next !== undefined && tag === tagOf(this.#next))
      if (!isOwn) this.#fail(`${code} ${text.replaceAll(/[^ -~]+/g, '|')}`)
    }
  }

  #fail(what: string): void {
    this.#town.fail(`${this.#tenant}, ${this.#deed}: ${what}`)
  }
}

/** Rows of each tenant that say whose they are. */
async function tagRows(server: PostgresServer, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) {
    const isOwn = tenant === 'acme' || tenant === 'umbrella'
    const id = ROW_IDS[tenant]
    const table = isOwn || id !== undefined ? 'public.items' : `tenant_${tenant}.items`
    const where = id === undefined ? '' : ` WHERE tenant_id = '${id}'`
    const text = `UPDATE ${table} SET owner = '${tagOf(tenant)}'${where}`
    await sql(server, isOwn ? tenant : 'saas', text)
  }
}

async function wander(t: Test, mix: Mix, major: PostgresMajor): Promise<void> {
  const server = await mix.start(major)
  t.teardown(() => server.stop())
  await tagRows(server, mix.tenants)
  const proxy = await startTestProxy(mix.settings(server))
  t.teardown(() => proxy.stop())
  const town = new Town(proxy, mix.tenants)
  const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(town, index))
  await Promise.all(clients.map((client) => client.live()))
  t.equal(town.wrong, undefined, `seed ${SEED}`)
  t.ok(town.reads > CLIENTS, `${town.reads} reads found their own rows`)
  t.ok(town.changes > 0, `${town.changes} changes of tenant`)
  t.strictSame([...town.done.keys()].sort(), Object.keys(DEEDS).sort(), 'everything was done')
}

t.comment(`PGUSHER_TEST_SEED=${SEED}`)
for (const major of [15, 18] as const) {
  for (const mix of MIXES) t.test(`Postgres ${major}: ${mix.name}`, (t) => wander(t, mix, major))
}
