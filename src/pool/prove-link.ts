import type { ProxyError } from '../base/proxy-error.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { Link } from '../tenancy/link.ts'
import type { Lease } from './lease.ts'
import type { Pool, ProvenLink } from './pool.ts'
import type { Waiter } from './waiter.ts'

/**
 * Makes sure that a link works before any byte of a client depends on it, and learns what the
 * server reports under it. Costs a checkout the first time, nothing after that.
 *
 * @returns The link, shared with every other session that has the same one.
 * @throws LinkFailedError - the server refused the link.
 * @throws the errors of a checkout.
 */
export function proveLink(
  pool: Pool,
  link: Link,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<ProvenLink> {
  const known = pool.proven(link)
  if (known !== undefined) return Promise.resolve(known)
  if (options.signal.aborted) return Promise.reject(options.signal.reason)
  return new Promise((resolve, reject) => {
    const abandon = () => {
      pool.abandon(waiter)
      reject(options.signal.reason)
    }
    const waiter: Waiter = {
      link,
      waitMs: options.waitMs,
      granted(lease) {
        options.signal.removeEventListener('abort', abandon)
        tryLink({ pool, link, signal: options.signal }, lease).then(resolve, reject)
      },
      refused(error) {
        options.signal.removeEventListener('abort', abandon)
        reject(error)
      },
    }
    options.signal.addEventListener('abort', abandon)
    const lease = pool.checkout(waiter)
    if (lease !== undefined) waiter.granted(lease)
  })
}

/** A link to be tried, for as long as somebody waits for it. */
interface Trial {
  readonly pool: Pool
  readonly link: Link
  readonly signal: AbortSignal
}

function tryLink({ pool, link, signal }: Trial, lease: Lease): Promise<ProvenLink> {
  const { server } = lease
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      lease.discard('timeout')
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp)
    const sink: ReplySink = {
      replyBytes() {},
      linked() {},
      statementsDropped() {},
      drained() {},
      settled() {
        signal.removeEventListener('abort', giveUp)
        resolve(pool.prove(link, server))
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
    if (request === undefined) sink.settled()
    else server.write(request.bytes)
  })
}
