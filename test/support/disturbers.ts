import assert from 'node:assert/strict'
import type { Client } from 'pg'
import type { TestProxy } from './proxy.ts'

/**
 * Other clients of the same server connections, for tests in which these change hands. Each looks,
 * whenever it has one, for its own settings and for what a client before it left behind, and throws
 * if it misses the one or finds the other.
 */
export interface Disturbers {
  /**
   * Has every server connection that is free used by somebody else, and leaves them free. Needs
   * one that is free: where a client is pinned, or has one for its session, it keeps the other.
   */
  disturb(): Promise<void>
  /**
   * Like `disturb`; then keeps the server connection with that process busy, until the next call
   * or `letGo`: the next transaction runs on another one. Call it while no client has a lease.
   * Where clients keep theirs for the session, it only disturbs.
   */
  hold(pid: number): Promise<void>
  letGo(): Promise<void>
  /** Gets all of them back to work when some were sent away, or wait for what won't come free. */
  restart(): Promise<void>
  /** Disturbs again and again until `work` has settled. */
  during<T>(work: Promise<T>): Promise<T>
  end(): Promise<void>
}

/** How disturbers take server connections; see `TransactionDisturbers`. */
export interface DisturberOptions {
  readonly proxy: TestProxy
  readonly mode: 'transaction' | 'session'
  /** One disturber for each. Those of one pool are as many as it has server connections. */
  readonly tenants: readonly string[]
}

const APPLICATION = 'disturber'
const ZONE = 'Indian/Maldives'

const LOOK = `
  SELECT pg_backend_pid() AS pid,
    (SELECT string_agg(owner, ',') FROM items) AS owners,
    current_setting('application_name') AS application,
    current_setting('statement_timeout') AS timeout,
    current_setting('TimeZone') AS zone,
    (SELECT count(*)::int FROM pg_prepared_statements WHERE from_sql) AS prepared,
    (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors,
    (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
    (SELECT count(*)::int FROM pg_locks
      WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
    (SELECT count(*)::int FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS temporary`

const NOTHING_LEFT = {
  application: APPLICATION,
  timeout: '0',
  zone: ZONE,
  prepared: 0,
  cursors: 0,
  channels: 0,
  locks: 0,
  temporary: 0,
}

export function startDisturbers(options: DisturberOptions): Promise<Disturbers> {
  return options.mode === 'session'
    ? Promise.resolve(new SessionDisturbers(options))
    : TransactionDisturbers.start(options)
}

/** Each in a session of its own, held for as long as a lease must last. */
class TransactionDisturbers implements Disturbers {
  readonly #options: DisturberOptions
  #all: readonly Disturber[] = []
  #holder: Disturber | undefined

  private constructor(options: DisturberOptions) {
    this.#options = options
  }

  static async start(options: DisturberOptions): Promise<Disturbers> {
    const disturbers = new TransactionDisturbers(options)
    await disturbers.restart()
    return disturbers
  }

  async restart(): Promise<void> {
    await this.end()
    const { proxy, tenants } = this.#options
    this.#holder = undefined
    this.#all = await Promise.all(tenants.map((tenant) => connect(proxy, tenant)))
    // Has the pool open all that it may, so that nobody gets a new one later.
    await this.hold(0)
  }

  async disturb(): Promise<void> {
    await this.letGo()
    // All begin before one ends: together they take whatever is free.
    await allOf(
      this.#all.map(async (disturber) => {
        await begin(disturber)
        await disturber.client.query('COMMIT')
      }),
    )
  }

  async hold(pid: number): Promise<void> {
    await this.letGo()
    try {
      const pids = await allOf(this.#all.map(begin))
      this.#holder = this.#all[pids.indexOf(pid)]
    } finally {
      const others = this.#all.filter((disturber) => disturber !== this.#holder)
      await Promise.all(others.map(({ client }) => client.query('COMMIT')))
    }
  }

  async letGo(): Promise<void> {
    await this.#holder?.client.query('COMMIT')
    this.#holder = undefined
  }

  during<T>(work: Promise<T>): Promise<T> {
    return repeatDuring(() => this.disturb(), work)
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map(({ client }) => client.end()))
  }
}

/** One after the other, each in a session that ends at once: a session keeps what it has. */
class SessionDisturbers implements Disturbers {
  readonly #options: DisturberOptions

  constructor(options: DisturberOptions) {
    this.#options = options
  }

  async disturb(): Promise<void> {
    for (const tenant of this.#options.tenants) {
      const { client, ...disturber } = await connect(this.#options.proxy, tenant)
      await look({ client, ...disturber })
      await client.end()
    }
  }

  hold(): Promise<void> {
    return this.disturb()
  }

  async letGo(): Promise<void> {}

  async restart(): Promise<void> {}

  during<T>(work: Promise<T>): Promise<T> {
    return repeatDuring(() => this.disturb(), work)
  }

  async end(): Promise<void> {}
}

interface Disturber {
  readonly tenant: string
  readonly client: Client
}

async function connect(proxy: TestProxy, tenant: string): Promise<Disturber> {
  const own = { application_name: APPLICATION, options: `-c TimeZone=${ZONE}` }
  return { tenant, client: await proxy.connect(tenant, own) }
}

/** @returns the process of the server connection that it has from now on. */
async function begin(disturber: Disturber): Promise<number> {
  await disturber.client.query('BEGIN')
  try {
    return await look(disturber)
  } catch (error) {
    await disturber.client.query('ROLLBACK')
    throw error
  }
}

/** Like `Promise.all`, but waits for all even when one fails. */
async function allOf<T>(works: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(works)
  return Promise.all(works)
}

async function look({ client, tenant }: Disturber): Promise<number> {
  const { rows } = await client.query({ name: 'look', text: LOOK })
  const { pid, ...found } = rows[0]
  assert.deepEqual(found, { owners: tenant, ...NOTHING_LEFT }, `what ${tenant} found`)
  return pid
}

async function repeatDuring<T>(round: () => Promise<void>, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  const rounds = (async () => {
    while (!isOver) await round()
  })()
  const [result] = await Promise.all([over, rounds])
  return result
}
