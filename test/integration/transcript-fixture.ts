import t, { type Test } from 'tap'
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
export const PLACES: readonly Place[] = [
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
}

/** A script, and how its client begins. */
export interface Act extends Pick<Party, 'version'> {
  readonly parameters?: Readonly<Record<string, string>>
  readonly script: Script
  /** Left out where there is too much to be sent byte by byte. */
  readonly isBulky?: boolean
}

/** Acts by name. */
export type Program = Readonly<Record<string, Act>>

/** Longer than any script takes: a client of the proxy that hangs is told so, and ends. */
const WAIT_MS = 10_000

/** Performs a program for one tenant of each strategy, on each version of Postgres. */
export async function perform(
  program: (stage: Stage) => Program,
  { places = PLACES }: { readonly places?: readonly Place[] } = {},
): Promise<void> {
  for (const major of [15, 18] as const) {
    await t.test(`on Postgres ${major}`, async (t) => {
      const server = await startSaas(major)
      t.teardown(() => server.stop())
      const proxy = await startTestProxy(
        saasSettings(server, {
          pool: { mode: 'session', size: 5 },
          timeouts: { waitMs: WAIT_MS },
          limits: { loginFailures: 1_000_000 },
        }),
      )
      t.teardown(() => proxy.stop())
      for (const place of places) {
        const stage = { major, server, proxy, place }
        for (const [name, act] of Object.entries(program(stage))) {
          await t.test(`${place.tenant}: ${name}`, (t) => compare(t, stage, act))
        }
      }
    })
  }
}

/**
 * The proxy's client must hear what a client of the server hears: on a server connection that was
 * opened for it, on one that another client has used before, and (for one tenant of the three, as
 * bytes know nothing of strategies) with every byte sent alone.
 */
async function compare(t: Test, { server, proxy, place }: Stage, act: Act): Promise<void> {
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
  const expected = await transcribe(direct, script)
  t.strictSame(await transcribe(proxied, script), expected, 'at first')
  t.strictSame(await transcribe(proxied, script), expected, 'again')
  if (isBulky || place.tenant !== 'acme') return
  t.strictSame(await transcribe({ ...proxied, isSlow: true }, script), expected, 'byte by byte')
}
