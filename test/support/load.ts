import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { PASSWORD } from './proxy.ts'

const RETRY_MS = 20

/** What a client of the load does again and again. */
export type Work = (client: pg.Client) => Promise<unknown>

/** Whose client it is. */
export interface Guest {
  readonly port: number
  readonly tenant: string
  /** @defaultValue the one that every login of a test has */
  readonly password?: string
}

/** Opens a client of a tenant, as applications do. End it. */
export async function connectGuest({
  port,
  tenant,
  password = PASSWORD,
}: Guest): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: `app.${tenant}`,
    password,
    database: 'any',
  })
  // The end of a connection shows as a failure of what is asked next.
  client.on('error', () => {})
  await client.connect()
  return client
}

/**
 * Works until `signal` says to stop. What fails is tried again, on a new connection where it was
 * lost, as an application does; so nobody is told of failures.
 */
export async function keepWorking(guest: Guest, work: Work, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const client = await connectGuest(guest).catch(() => undefined)
    if (client !== undefined) await workOn(client, work, signal)
    if (!signal.aborted) await sleep(RETRY_MS)
  }
}

async function workOn(client: pg.Client, work: Work, signal: AbortSignal): Promise<void> {
  const state = { isLost: false }
  client.on('end', () => {
    state.isLost = true
  })
  while (!signal.aborted && !state.isLost) await work(client).catch(() => {})
  await client.end().catch(() => {})
}
