import pg from 'pg'
import type { Daemon } from './daemon.ts'
import { LOGIN } from './pgusher.ts'

/** A client of a tenant, logged in through the proxy. */
export async function openClient(
  { port }: Pick<Daemon, 'port'>,
  tenant: string,
): Promise<pg.Client> {
  const user = `${LOGIN}.${tenant}`
  const client = new pg.Client({ host: '127.0.0.1', port, user, database: 'any' })
  await client.connect()
  return client
}

/** How long the action took with each, one after the other, in ms. */
export async function timed<Item>(
  items: readonly Item[],
  action: (item: Item) => Promise<unknown>,
): Promise<readonly number[]> {
  const times: number[] = []
  for (const item of items) {
    const beganMs = performance.now()
    await action(item)
    times.push(performance.now() - beganMs)
  }
  return times
}
