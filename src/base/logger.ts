import type { LogEvent } from './log-events.ts'

/** Facts beside a log line: flat, JSON-safe, never a secret; SQL text only in `sql`, and if asked for. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** How much an operator should care. */
export type LogWeight = 'debug' | 'info' | 'warn' | 'error'

/**
 * Where the rooms say what an operator would act on; everything that varies goes into `fields`.
 * What is about one tenant names it in the field `tenant`: a level of its own may be in force there.
 */
export interface Logger extends Readonly<Record<LogWeight, LogEntry>> {
  /**
   * Whether a debug line about the tenant would be written. Asked on the way of every request,
   * before there is anything to write.
   */
  isDebugging(tenant: string): boolean
}

type LogEntry = (event: LogEvent, fields?: LogFields) => void

/** Says nothing: for tests, and for rooms run on their own. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isDebugging: () => false,
}
