import { once } from 'node:events'
import type { Test } from 'tap'
import { type CertificateFiles, TestAuthority } from '../support/certificates.ts'
import type { PostgresServer } from '../support/postgres.ts'
import { PASSWORD, startTestProxy, type TestProxy } from '../support/proxy.ts'
import { query, type RawClient, rows } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { openTls, type TlsClientOptions } from '../support/tls-client.ts'

export const LOGIN = { user: 'app.globex', password: PASSWORD }
export const OWNER = 'SELECT owner FROM items'

/** A server with tenants, and what proxies before it need for TLS. */
export interface TlsHouse {
  readonly server: PostgresServer
  readonly authority: TestAuthority
  /** Whom nobody trusts. */
  readonly stranger: TestAuthority
  readonly pair: CertificateFiles
  /** `tls.client` with that pair. */
  readonly client: { readonly cert: string; readonly key: string }
  /** A client that trusts the pair. */
  readonly trusting: TlsClientOptions
  /** A proxy with those settings, which ends with the test. */
  proxyWith(t: Test, overrides: Readonly<Record<string, unknown>>): Promise<TestProxy>
}

/** Starts a server and makes the certificates; all of it ends with the test. */
export async function startTlsHouse(t: Test): Promise<TlsHouse> {
  const [server, authority, stranger] = await Promise.all([
    startSaas(18),
    TestAuthority.create(),
    TestAuthority.create('nobody knows it'),
  ])
  t.teardown(() => Promise.all([server.stop(), authority.remove(), stranger.remove()]))
  const altNames = ['DNS:localhost', 'DNS:*.db.example.com', 'IP:127.0.0.1']
  const pair = await authority.issue({ commonName: 'localhost', altNames })
  return {
    server,
    authority,
    stranger,
    pair,
    client: { cert: pair.certFile, key: pair.keyFile },
    trusting: { ca: authority.own.cert, servername: 'localhost' },
    async proxyWith(t, overrides) {
      const proxy = await startTestProxy(saasSettings(server, overrides))
      t.teardown(() => proxy.stop())
      return proxy
    },
  }
}

/** What the tenant of a session is called in its table. */
export async function owner(raw: RawClient): Promise<readonly string[]> {
  return rows(await raw.ask(query(OWNER)))
}

/** The codes of the clients that were sent away, as they were logged. */
export function refusals(proxy: TestProxy): readonly string[] {
  const lines = proxy
    .log()
    .split('\n')
    .filter((line) => line.includes('session refused'))
  return lines.map((line) => JSON.parse(line).code)
}

/** Connects in a way that must fail, and waits until the proxy has hung up. */
export async function failing(port: number, options: TlsClientOptions): Promise<void> {
  try {
    const secured = await openTls(port, options)
    secured.on('error', () => {})
    secured.resume()
    if (!secured.closed) await once(secured, 'close')
  } catch {
    // Refused in the handshake itself: as good as closed later.
  }
}
