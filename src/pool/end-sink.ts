import type { ReplySink } from '../server/reply-sink.ts'

/**
 * Nobody may get the replies of a connection that no client uses: all that is heard is that it is
 * settled, or its end with the reason.
 */
export function endSink(ended: (reason: Error | undefined) => void): ReplySink {
  return {
    replyBytes() {},
    linked() {},
    factsTold() {},
    plansChanged() {},
    statementsDropped() {},
    errorReported() {},
    drained() {},
    settled: () => ended(undefined),
    lost: ended,
  }
}
