const POLL_MS = 5
const DEADLINE_MS = 15_000

/**
 * Waits until `predicate` holds. For what nothing tells of by an event; else wait for the event.
 *
 * @param pollMs - Between two looks, 5 ms by default; more for what is costly to look at.
 * @throws Error - it did not within `deadlineMs`, 15 s by default.
 */
export async function until(
  predicate: () => boolean | Promise<boolean>,
  deadlineMs: number = DEADLINE_MS,
  pollMs: number = POLL_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await predicate())) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${predicate}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
