/** What a test may leave for a moment: the end of a socket is told to its handle a little later. */
const GRACE_MS = 2_000
const POLL_MS = 10

/** Kinds of resource that mean a forgotten socket, server, child or timer. */
const WATCHED = /^(?:TCP|TLS|Pipe|Process|Timeout|Immediate)/

/** As much of a tap test as the guard needs. */
export interface Guarded {
  teardown(action: () => Promise<void>): void
}

/**
 * Fails `t` when, after its teardowns so far, it leaves more sockets, servers, child processes or
 * timers open than there were at this call. Call it first: teardowns run in reverse order.
 * Handles that were `unref`ed do not count.
 */
export function failOnLeaks(t: Guarded): void {
  const before = countOpen()
  t.teardown(async () => {
    const leaks = await leaksAfterGrace(before)
    if (leaks.length > 0) throw new Error(`left open: ${leaks.join(', ')}`)
  })
}

async function leaksAfterGrace(before: ReadonlyMap<string, number>): Promise<readonly string[]> {
  const deadlineMs = performance.now() + GRACE_MS
  for (;;) {
    const leaks = findLeaks(before)
    if (leaks.length === 0 || performance.now() > deadlineMs) return leaks
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function findLeaks(before: ReadonlyMap<string, number>): readonly string[] {
  return [...countOpen()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`)
}

function countOpen(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}
