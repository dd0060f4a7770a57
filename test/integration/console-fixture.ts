import pg from 'pg'
import type { Test } from 'tap'
import type { TestProxy } from '../support/proxy.ts'

export const ADMIN = { user: 'ops', password: 'change it', role: 'admin' } as const
export const STATS = { user: 'looker', password: 'look only', role: 'stats' } as const

/** Settings that open the console to both of them. */
export const CONSOLE = { logins: [ADMIN, STATS] }

/** Connects as an operator. */
export async function operator(
  t: Test,
  proxy: TestProxy,
  { user, password }: { readonly user: string; readonly password: string } = ADMIN,
): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: proxy.port,
    user,
    password,
    database: 'pgusher',
  })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end().catch(() => {}))
  return client
}

/** The rows of a command. */
export async function show(client: pg.Client, command: string): Promise<Record<string, unknown>[]> {
  return (await client.query(command)).rows
}

/** What an error of a driver says. */
export interface Refusal {
  readonly code?: string
  readonly message: string
  readonly hint?: string
}

/** The error that a promise ends with; `undefined` when there is none. */
export async function refusalOf(work: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    return error as Refusal
  }
}
