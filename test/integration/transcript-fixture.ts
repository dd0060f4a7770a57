import t, { type Test } from 'tap'
import type { PoolMode } from '../../src/catalog/route.ts'
import type { PostgresServer } from '../support/postgres.ts'
import type { PostgresMajor } from '../support/postgres-binaries.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { type Party, type Script, transcribe } from '../support/transcript.ts'

/** A tenant, and how a client would get to its place without the proxy. */
export interface Place {
  readonly tenant: string
  /** Of the server login; its password is the same. */
  readonly user: string
  readonly database: string
  readonly settings: Readonly<Record<string, string>>
}

/** One of each strategy. */
const PLACES: readonly Place[] = [
  { tenant: 'acme', user: 'acme', database: 'acme', settings: {} },
  {
    tenant: 'globex',
    user: 'pool',
    database: 'saas',
    settings: { search_path: '"tenant_globex"', 'app.tenant_id': '' },
  },
  {
    tenant: 'initech',
    user: 'pool',
    database: 'saas',
    settings: { search_path: '"public"', 'app.tenant_id': '42' },
  },
]

/** Where scripts are performed: in front of a server, and in front of a proxy before it. */
export interface Stage {
  readonly major: PostgresMajor
  readonly server: PostgresServer
  readonly proxy: TestProxy
  readonly place: Place
  readonly mask: (line: string) => string
}

/** A script, and how its client begins. */
export interface Act extends Pick<Party, 'version'> {
  readonly parameters?: Readonly<Record<string, string>>
  readonly script: Script
  /** Left out where there is too much to be sent byte by byte. */
  readonly isBulky?: boolean
}

/** How a program is performed. */
interface Performance {
  readonly mode?: PoolMode
  readonly mask?: (line: string) => string
}

/** Acts by name. */
export type Program = Readonly<Record<string, Act>>

/** Longer than any script takes: who waits for a server connection in vain is told so. */
const WAIT_MS = 10_000

/**
 * Performs a program for one tenant of each strategy, on each version of Postgres.
 *
 * @param options.mode - Of the proxy's pools.
 * @param options.mask - Takes out of a line what may differ.
 */
export async function perform(
  program: (stage: Stage) => Program,
  { mode = 'session', mask = (line) => line }: Performance = {},
): Promise<void> {
  for (const major of [15, 18] as const) {
    await t.test(`on Postgres ${major}`, async (t) => {
      const server = await startSaas(major)
      t.teardown(() => server.stop())
      const proxy = await startTestProxy(
        saasSettings(server, {
          pool: { mode, size: 5 },
          timeouts: { waitMs: WAIT_MS },
          limits: { loginFailures: 1_000_000 },
        }),
      )
      t.teardown(() => proxy.stop())
      for (const place of PLACES) {
        const stage = { major, server, proxy, place, mask }
        for (const [name, act] of Object.entries(program(stage))) {
          await t.test(`${place.tenant}: ${name}`, (t) => compare(t, stage, act))
        }
      }
    })
  }
}

/**
 * In transaction mode the server knows a client's prepared statements by names of the proxy's, and
 * a message in the middle of a copy may be one that the proxy has sent before the client's.
 */
export function withoutNames(line: string): string {
  return line
    .replace(/prepared statement \\"\w+\\"/, 'prepared statement')
    .replace(/message type 0x\w+/, 'message type')
}

/**
 * The proxy's client must hear what a client of the server hears: on a server connection that was
 * opened for it, on one that another client has used before, and (for one tenant of the three, as
 * bytes know nothing of strategies) with every byte sent alone.
 */
async function compare(t: Test, { server, proxy, place, mask }: Stage, act: Act): Promise<void> {
  const { parameters = {}, script, version = 3 << 16, isBulky = false } = act
  const { tenant, user, database, settings } = place
  const direct = {
    port: server.port,
    user,
    password: user,
    parameters: { database, ...settings, ...parameters },
    version,
  }
  const proxied = {
    port: proxy.port,
    user: `app.${tenant}`,
    password: PASSWORD,
    parameters,
    version,
  }
  const perform = async (party: Party) => (await transcribe(party, script)).map(mask)
  const expected = await perform(direct)
  t.strictSame(await perform(proxied), expected, 'at first')
  t.strictSame(await perform(proxied), expected, 'again')
  if (isBulky || place.tenant !== 'acme') return
  t.strictSame(await perform({ ...proxied, isSlow: true }), expected, 'byte by byte')
}
