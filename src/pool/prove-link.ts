import type { ProxyError } from '../base/proxy-error.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { FactsWanted } from '../server/session-facts.ts'
import type { Link } from '../tenancy/link.ts'
import { awaitLease } from './await-lease.ts'
import type { Lease } from './lease.ts'
import type { Pool } from './pool.ts'
import { SealBrokenError } from './pool-errors.ts'
import type { ProvenLink } from './proven-links.ts'

/**
 * Makes sure that a link works before any byte of a client depends on it, and learns what the
 * server says of it. Costs a checkout the first time, nothing after that.
 *
 * @returns The link, shared with every other session that has the same one.
 * @throws LinkFailedError - the server refused the link.
 * @throws SealBrokenError - the tenant is to be sealed, and the server does not keep it apart.
 * @throws the errors of a checkout.
 */
export async function proveLink(
  pool: Pool,
  link: Link,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<ProvenLink> {
  const known = pool.proven(link)
  if (known !== undefined) return known
  const lease = await awaitLease(pool, { ...options, link, mode: 'transaction' })
  // Many may have waited for it: a tenant's sessions that all move at once, say.
  const provenMeanwhile = pool.proven(link)
  if (provenMeanwhile !== undefined) {
    lease.release()
    return provenMeanwhile
  }
  return tryLink({ pool, link, signal: options.signal }, lease)
}

const ALL_SETTINGS: FactsWanted = { kinds: new Set(), settings: 'all', customSettings: [] }
const UNANSWERED = 'the server could not say; is the SQL kit installed?'

/** A link to be tried, for as long as somebody waits for it. */
interface Trial {
  readonly pool: Pool
  readonly link: Link
  readonly signal: AbortSignal
}

function tryLink({ pool, link, signal }: Trial, lease: Lease): Promise<ProvenLink> {
  const { server } = lease
  if (signal.aborted) {
    lease.release()
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      lease.discard('timeout')
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp)
    let settings: ReadonlyMap<string, string> = new Map()
    let refutation: string | undefined
    const { proof } = link
    const ask = () => server.write(server.beginAsk({ ...ALL_SETTINGS, proof }))
    const sink: ReplySink = {
      replyBytes() {},
      linked: ask,
      factsTold(facts) {
        settings = facts?.settings ?? settings
        if (proof !== undefined) refutation = facts === undefined ? UNANSWERED : facts.refutation
      },
      plansChanged() {},
      statementsDropped() {},
      errorReported() {},
      drained() {},
      settled() {
        signal.removeEventListener('abort', giveUp)
        if (refutation !== undefined) {
          lease.discard('linkFailed')
          reject(new SealBrokenError(link.tenantKey, refutation))
          return
        }
        resolve(pool.prove({ link, settings, parameters: server.parameters }))
        lease.release()
      },
      lost(error: ProxyError) {
        signal.removeEventListener('abort', giveUp)
        lease.discard('linkFailed')
        reject(error)
      },
    }
    server.attach(sink)
    const request = server.beginLink(link)
    if (request === undefined) ask()
    else server.write(request.bytes)
  })
}
