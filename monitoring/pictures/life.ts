import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { connectGuest, keepWorking, type Work } from '../../test/support/load.ts'
import { until } from '../../test/support/until.ts'
import type { WatchedTown } from './town.ts'

/** Code of a CancelRequest, in place of a protocol version. */
const CANCEL = 80_877_102

/** What the clients of a tenant do all the time, and how many of them there are. */
interface Habit {
  readonly tenant: string
  readonly clients: number
  readonly work: Work
}

const HABITS: readonly Habit[] = [
  { tenant: 'acme', clients: 4, work: shop },
  { tenant: 'umbrella', clients: 1, work: report },
  { tenant: 'globex', clients: 3, work: shop },
  { tenant: 'hooli', clients: 2, work: visit },
  { tenant: 'initech', clients: 3, work: shop },
  { tenant: 'initrode', clients: 1, work: careless },
]

/**
 * Lets the tenants live for `seconds`: ordinary work all the time, and everything that a dashboard
 * has a panel for at some time.
 */
export async function live(town: WatchedTown, seconds: number): Promise<void> {
  const stop = new AbortController()
  const { port } = town.served
  const guests = HABITS.flatMap(({ tenant, clients, work }) =>
    Array.from({ length: clients }, () => keepWorking({ port, tenant }, work, stop.signal)),
  )
  guests.push(strangers(port, stop.signal))
  try {
    await pass(town, seconds)
  } finally {
    stop.abort()
    await Promise.all(guests)
  }
}

/** The day of the town: what happens besides, and when, as shares of it. */
async function pass(town: WatchedTown, seconds: number): Promise<void> {
  const part = (share: number) => sleep(share * seconds * 1000)
  await part(0.3)
  await rush(town, 0.2 * seconds)
  await mischief(town)
  await part(0.1)
  await town.servers.redis.kill()
  await part(0.1)
  await town.servers.redis.restart()
  await part(0.05)
  await town.servers.server.halt('immediate')
  await part(0.05)
  await town.servers.server.restart()
  await part(0.1)
  await operate(town)
  await part(0.1)
}

/** Reads and writes in transactions, with some thought in between. */
async function shop(client: pg.Client): Promise<void> {
  await client.query('BEGIN')
  await client.query('SELECT * FROM items ORDER BY id LIMIT 20')
  await client.query('INSERT INTO items (id, owner) VALUES ($1, $2)', [1, 'somebody'])
  await client.query('ROLLBACK')
  await sleep(20 + 30 * Math.random())
}

/** A few large answers. */
async function report(client: pg.Client): Promise<void> {
  await client.query("SELECT repeat('x', 200) FROM generate_series(1, 500), pg_sleep(0.05)")
  await sleep(100)
}

/** Comes, asks and goes; and now and then for somebody else. */
async function visit(client: pg.Client): Promise<void> {
  await client.query('SELECT count(*) FROM items')
  await client.query("SET pgusher.tenant = 'globex'")
  await client.query('SELECT count(*) FROM items')
  await sleep(100)
  await client.end()
}

/** Makes mistakes, and state that can't be carried. */
async function careless(client: pg.Client): Promise<void> {
  await sleep(300)
  await client.query('SELECT 1 / (random() * 3)::int')
  await client.query('LISTEN news')
  await client.query('SELECT * FROM no_such_table').catch(() => {})
  await client.query('UNLISTEN *')
  await client.query('SET ROLE somebody_else').catch(() => {})
  await cancelNothing(client)
}

/** A cancel request that comes too late, and one with a wrong key. */
async function cancelNothing(client: pg.Client): Promise<void> {
  const { port, processID, secretKey } = client as pg.Client & {
    readonly processID: number
    readonly secretKey: number
  }
  for (const key of [secretKey, secretKey ^ 1]) {
    const request = Buffer.alloc(16)
    request.writeInt32BE(request.length, 0)
    request.writeInt32BE(CANCEL, 4)
    request.writeInt32BE(processID, 8)
    request.writeInt32BE(key, 12)
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    socket.end(request)
    await once(socket, 'close')
  }
}

/** Those who are not let in. */
async function strangers(port: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const tenant of ['nobody', 'acme', 'not.a.name']) {
      await connectGuest({ port, tenant, password: 'guess' }).catch(() => {})
    }
    await sleep(500 * Math.random())
  }
}

/** More than the pool can do: clients wait, some too long. */
async function rush({ served: { port } }: WatchedTown, seconds: number): Promise<void> {
  const stop = new AbortController()
  const crowd = ['globex', 'hooli', 'initech'].flatMap((tenant) =>
    Array.from({ length: 7 }, () =>
      keepWorking(
        { port, tenant },
        (client) => client.query('SELECT pg_sleep(0.02 + 0.1 * random())'),
        stop.signal,
      ),
    ),
  )
  await sleep(seconds * 1000)
  stop.abort()
  await Promise.all(crowd)
}

/** A function that leads a tenant out of its place. */
async function mischief({ served: { port } }: WatchedTown): Promise<void> {
  const done = new AbortController()
  const leave = async (client: pg.Client) => {
    await client.query('SELECT leave()')
    done.abort()
  }
  await keepWorking({ port, tenant: 'globex' }, leave, done.signal)
}

/** A change in the catalog, a reload with a mistake in it, and one without. */
async function operate({ servers, served }: WatchedTown): Promise<void> {
  const { source } = servers
  await source.run("UPDATE pgusher.tenants SET search_path = '{public}' WHERE name = 'hooli'")
  const right = await readFile(served.file, 'utf8')
  await writeFile(served.file, `${right}nosuch: 1\n`)
  const refusals = () => served.output().split('configuration refused').length
  const before = refusals()
  served.child.kill('SIGHUP')
  await until(() => refusals() > before)
  await writeFile(served.file, right)
  served.child.kill('SIGHUP')
}
