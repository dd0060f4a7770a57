import { TenantTokenSigner } from '../../../src/tenancy/tenant-token.ts'
import { keyOf, RawClient, type RawFrame } from '../../support/raw-client.ts'
import { bound } from './attack.ts'
import { PATIENCE_MS, type Sight, type Town } from './town.ts'
import { ROWS_LOGIN } from './town-sql.ts'

/** Longer than any test, in ms. */
const TOKEN_MS = 600_000

export interface Guest {
  readonly client: RawClient
  /** What came at the login. */
  readonly frames: readonly RawFrame[]
}

/** Where attacker and victim come in. */
export interface Venue {
  logIn(
    user: 'evil' | 'app',
    tenant: string,
    parameters?: Readonly<Record<string, string>>,
  ): Promise<Guest>
  /** How often state was found that no text had shown. */
  violations(): Promise<number>
  close(): Promise<void>
}

/** Clients of a proxy. */
export async function atProxy(town: Town, sight: Sight): Promise<Venue> {
  const proxy = await town.open(sight)
  return {
    logIn: (user, tenant, parameters = {}) =>
      logIn(proxy.port, { user: `${user}.${tenant}`, password: '', parameters }),
    violations: () => proxy.metric('pgusher_isolation_violations_total'),
    close: () => proxy.stop(),
  }
}

/**
 * Clients of Postgres itself, each put by hand where a sealed link puts it: what Postgres refuses
 * without anybody before it.
 */
export function atPostgres(town: Town, { strategy }: Sight): Venue {
  const signer = new TenantTokenSigner(town.key, TOKEN_MS)
  return {
    async logIn(_user, tenant, parameters = {}) {
      const user = strategy === 'row' ? ROWS_LOGIN : tenant
      const place = strategy === 'row' ? {} : { search_path: `tenant_${tenant}` }
      const own = { database: 'sealed', lock_timeout: String(PATIENCE_MS), ...place }
      const login = { user, password: user, parameters: { ...own, ...parameters } }
      const guest = await logIn(town.server.port, login)
      if (strategy === 'schema' || guest.frames.at(-1)?.code !== 'Z') return guest
      const { processId } = keyOf(guest.frames)
      const { text } = signer.sign({ tenantId: `id-of-${tenant}`, processId }, Date.now())
      await guest.client.ask(bound(`SELECT set_config('app.tenant_id', $1, false)`, text).bytes)
      return guest
    },
    violations: async () => 0,
    close: async () => {},
  }
}

async function logIn(port: number, login: Parameters<RawClient['logIn']>[0]): Promise<Guest> {
  const client = await RawClient.connect(port)
  return { client, frames: await client.logIn(login) }
}
