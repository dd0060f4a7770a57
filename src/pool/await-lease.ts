import type { Lease } from './lease.ts'
import type { Pool } from './pool.ts'
import type { Waiter } from './waiter.ts'

/** What a login waits for. `waitMs`: longest wait, `0` without limit; `signal` ends it earlier. */
export type LeaseWanted = Pick<Waiter, 'link' | 'mode' | 'waitMs'> & {
  readonly signal: AbortSignal
}

/**
 * Waits for a server connection as a promise: for logins, which have no session yet.
 *
 * @throws the errors of a checkout, or the reason of the signal.
 */
export function awaitLease(pool: Pool, wanted: LeaseWanted): Promise<Lease> {
  const { link, mode, waitMs, signal } = wanted
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const abandon = () => {
      pool.abandon(waiter)
      reject(signal.reason)
    }
    const waiter: Waiter = {
      link,
      mode,
      waitMs,
      granted(lease) {
        signal.removeEventListener('abort', abandon)
        resolve(lease)
      },
      refused(error) {
        signal.removeEventListener('abort', abandon)
        reject(error)
      },
    }
    signal.addEventListener('abort', abandon)
    const lease = pool.checkout(waiter)
    if (lease !== undefined) waiter.granted(lease)
  })
}
