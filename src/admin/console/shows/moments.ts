/** A wait in whole seconds, and the microseconds beyond them. */
export function waitColumns(waitMs: number): { readonly wait: number; readonly wait_us: number } {
  const wait = Math.floor(waitMs / 1000)
  return { wait, wait_us: Math.round((waitMs - wait * 1000) * 1000) }
}

/** The moment that was so long ago, as `2026-01-31 12:00:00 UTC`. */
export function momentOf(agoMs: number): string {
  const text = new Date(Date.now() - agoMs).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`
}
