import type { Clock } from '../../base/clock.ts'

/** Settles as `work` does, or rejects after `timeoutMs`; what `work` does later is of no interest. */
export function within<T>(
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${timeoutMs} ms`))
    const timer = clock.after(timeoutMs, giveUp)
    work.then(resolve, reject).finally(() => timer.cancel())
  })
}
