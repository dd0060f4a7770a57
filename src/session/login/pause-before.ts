import type { Clock } from '../../base/clock.ts'

/** Waits before a login goes on. Rejects with the reason of the signal. */
export function pauseBefore(delayMs: number, signal: AbortSignal, clock: Clock): Promise<void> {
  if (delayMs === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', giveUp)
      resolve()
    })
    const giveUp = () => {
      timer.cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
