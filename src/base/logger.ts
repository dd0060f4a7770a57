/** Facts beside a log line: flat, JSON-safe, never a secret and never SQL text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * Where the rooms say what an operator would act on. `event` is a stable name such as
 * `session refused`; everything that varies goes into `fields`.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** Says nothing: for tests, and for rooms run on their own. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}
