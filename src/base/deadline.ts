/** What ends a piece of work early. */
export interface DeadlineOptions {
  /** Longest the whole work may take, in ms; `0` means no limit. */
  readonly timeoutMs: number
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `work` under one signal that aborts at the timeout or with the caller's own signal, and
 * leaves neither timer nor listener behind. The work has to heed the signal: it is not left alone.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeoutMs, signal } = options
  const controller = new AbortController()
  const relayAbort = () => controller.abort(signal?.reason)
  if (signal?.aborted === true) relayAbort()
  signal?.addEventListener('abort', relayAbort)
  const giveUp = () => controller.abort(new Error(`timed out after ${timeoutMs} ms`))
  const timer = timeoutMs > 0 ? setTimeout(giveUp, timeoutMs) : undefined
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', relayAbort)
  }
}

/** A failure in words, for a log message. */
export function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure)
  // Node joins the failures of a host's several addresses into one error without a message.
  if (failure.message === '' && 'code' in failure) return String(failure.code)
  return failure.message
}
