import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../src/base/clock.ts'
import { Metrics } from '../src/telemetry/metrics.ts'
import { RANK_EVERY_MS } from '../src/telemetry/tenants/tenant-labels.ts'
import { query } from '../src/wire/frontend-messages.ts'
import { type PostgresServer, sql, startPostgres } from '../test/support/postgres.ts'
import { readArguments } from './support/arguments.ts'
import { type Cleanup, withCleanup } from './support/cleanup.ts'
import { LOGIN, startPgusher } from './support/pgusher.ts'
import { openRawClients } from './support/raw-clients.ts'
import { printReport, progress } from './support/report.ts'
import { median } from './support/statistics.ts'
import { openClient } from './support/tenant-clients.ts'

const USAGE = `Usage: node dist/bench/scrape.js [--markdown]

What a scrape takes, and how long it keeps the event loop, with 10, 1,000 and 10,000 tenants that
all have a session and have done work, over 100 pools.
`

const COUNTS: readonly number[] = [10, 1000, 10_000]
/** Tenants with a server login of their own, and so a pool; all others share one more. */
const OWN_POOLS = 99
const SCRAPES = 50
const BETWEEN_MS = 100
const DATABASE = 'postgres'
/** Logins and queries under way at a time. */
const BATCH = 50

const COLUMNS = [
  'tenants',
  'pools',
  'series',
  'page kB',
  'scrape ms',
  'longest scrape ms',
  'pause ms',
  'longest pause ms',
  'longest without scrapes ms',
  'ranks ms',
]
const NOTE = `${SCRAPES} scrapes, ${BETWEEN_MS} ms apart, while one client asks without a break. Pauses are what
nodejs_eventloop_lag_max_seconds says, of which some 10 ms are the step of that measurement. Ranks: what a
scrape takes longer that takes the ranks of tenants, once a minute.`

const options = readArguments(USAGE, { markdown: { type: 'boolean' } })

await withCleanup(async (cleanup) => {
  const server = await startPostgres({ major: 18 })
  cleanup.defer(() => server.stop())
  const logins = Array.from({ length: OWN_POOLS }, (_, index) => `CREATE ROLE t${index} LOGIN`)
  await sql(server, DATABASE, logins.join(';'))
  const rows: (readonly string[])[] = []
  for (const count of COUNTS) rows.push(await measure(count, server, cleanup))
  printReport({ columns: COLUMNS, rows, notes: [NOTE] }, options.has('markdown'))
})

async function measure(
  count: number,
  server: PostgresServer,
  cleanup: Cleanup,
): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, index) => `t${index}`)
  const daemon = await startPgusher({
    limits: { maxClients: 2 * count },
    servers: { shared: { url: server.url(DATABASE) } },
    tenants: names.map((name, index) =>
      index < OWN_POOLS
        ? { name, strategy: 'database', databaseUrl: server.url(DATABASE, { user: name }) }
        : { name, strategy: 'row', server: 'shared' },
    ),
  })
  cleanup.defer(daemon.stop)
  const sockets: Socket[] = []
  cleanup.defer(async () => closeAll(sockets))
  for (let first = 0; first < count; first += BATCH) {
    const batch = names.slice(first, first + BATCH)
    sockets.push(...(await Promise.all(batch.map((name) => openWorking(daemon.port, name)))))
  }
  progress(`${count} tenants have a session each`)
  const page = `http://127.0.0.1:${daemon.adminPort}/metrics`
  const stop = await startAsking(daemon.port, names.at(-1) ?? '')
  const quiet = await quietPause(page)
  const { times, pauses, text } = await scrapeOften(page)
  await stop()
  closeAll(sockets)
  await daemon.stop()
  return [
    count.toLocaleString('en-US'),
    String(countOf(text, /^pgusher_pool_max_connections\{/gm)),
    String(countOf(text, /^[a-z]/gm)),
    (Buffer.byteLength(text) / 1024).toFixed(0),
    median(times).toFixed(1),
    Math.max(...times).toFixed(1),
    median(pauses).toFixed(1),
    Math.max(...pauses).toFixed(1),
    quiet.toFixed(1),
    (await ranksMs(count)).toFixed(1),
  ]
}

/** A client that has asked once. */
async function openWorking(port: number, name: string): Promise<Socket> {
  const [socket] = await openRawClients({ port, user: `${LOGIN}.${name}`, database: 'any' }, 1)
  if (socket === undefined) throw new Error('no client')
  const answered = once(socket, 'data')
  socket.write(query('SELECT 1'))
  await answered
  return socket
}

/** Keeps the proxy busy until it is told to stop. */
async function startAsking(port: number, tenant: string): Promise<() => Promise<void>> {
  const client = await openClient({ port }, tenant)
  let isOver = false
  const asking = (async () => {
    while (!isOver) await client.query('SELECT 1')
  })()
  return async () => {
    isOver = true
    await asking
    await client.end()
  }
}

/** The longest pause of the event loop while nobody scrapes, in ms. */
async function quietPause(page: string): Promise<number> {
  // Each scrape tells of the time since the one before: the first of logins, the second of itself.
  await scrape(page)
  await pause(BETWEEN_MS)
  await scrape(page)
  await pause(SCRAPES * BETWEEN_MS)
  const { text } = await scrape(page)
  return longestPauseMs(text)
}

async function scrapeOften(page: string) {
  const times: number[] = []
  const pauses: number[] = []
  let text = ''
  for (let round = 0; round < SCRAPES; round += 1) {
    await pause(BETWEEN_MS)
    const scraped = await scrape(page)
    text = scraped.text
    times.push(scraped.ms)
    pauses.push(longestPauseMs(text))
  }
  return { times, pauses, text }
}

async function scrape(page: string): Promise<{ readonly text: string; readonly ms: number }> {
  const beganMs = performance.now()
  const answer = await fetch(page)
  const text = await answer.text()
  return { text, ms: performance.now() - beganMs }
}

function longestPauseMs(text: string): number {
  const [, seconds] = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text) ?? []
  return Number(seconds) * 1000
}

/** How much longer a scrape keeps the event loop that takes ranks, without a proxy around it. */
async function ranksMs(count: number): Promise<number> {
  let nowMs = 0
  const metrics = new Metrics({ clock: { ...systemClock, nowMs: () => nowMs } })
  const accounts = Array.from({ length: count }, (_, i) => metrics.sessionObserver.tenant(`t${i}`))
  const timed = async (sinceMs: number) => {
    nowMs += sinceMs
    const beganMs = performance.now()
    const page = metrics.text()
    const ms = performance.now() - beganMs
    await page
    return ms
  }
  const added: number[] = []
  for (let round = 0; round < SCRAPES; round += 1) {
    const usage = { queries: 1, receivedBytes: 0, sentBytes: 0 }
    for (const account of accounts) {
      account.requestEnded({ ...usage, durationMs: 100 * Math.random() })
    }
    added.push((await timed(RANK_EVERY_MS)) - (await timed(0)))
  }
  return median(added)
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.removeAllListeners().destroy()
}
