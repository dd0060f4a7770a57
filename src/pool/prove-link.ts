import type { ProxyError } from '../base/proxy-error.ts'
import type { ReplySink } from '../server/reply-sink.ts'
import type { Link } from '../tenancy/link.ts'
import type { Lease } from './lease.ts'
import type { Pool } from './pool.ts'
import type { Waiter } from './waiter.ts'

/**
 * Makes sure that a link works before any byte of a client depends on it, and learns what the
 * server reports under it. Costs a checkout the first time, nothing after that.
 *
 * @returns The ParameterStatus values under the link.
 * @throws LinkFailedError - the server refused the link.
 * @throws the errors of a checkout.
 */
export function proveLink(
  pool: Pool,
  link: Link,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, string>> {
  const known = pool.parametersUnder(link)
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
        tryLink(pool, lease, link).then(resolve, reject)
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

function tryLink(pool: Pool, lease: Lease, link: Link): Promise<ReadonlyMap<string, string>> {
  const { server } = lease
  return new Promise((resolve, reject) => {
    const sink: ReplySink = {
      replyBytes() {},
      linked() {},
      statementsDropped() {},
      drained() {},
      settled() {
        resolve(pool.learn(server))
        lease.release()
      },
      lost(error: ProxyError) {
        lease.discard('linkFailed')
        reject(error)
      },
    }
    server.attach(sink)
    const bytes = server.beginLink(link)
    if (bytes === undefined) sink.settled()
    else server.write(bytes)
  })
}
