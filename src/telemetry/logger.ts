import pino from 'pino'
import type { LogFields, Logger } from '../base/logger.ts'

/** Least weight of a line that is written; `silent` writes none. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** A logger whose level can change while it is in use. */
export interface LeveledLogger extends Logger {
  setLevel(level: LogLevel): void
}

/** What a logger is made of. */
export interface LoggerOptions {
  readonly level: LogLevel
  /** A file descriptor, or what takes whole lines. @defaultValue `1`, standard output */
  readonly destination?: number | { write(line: string): void }
}

/**
 * Writes one JSON object a line: `level`, `time` (ISO 8601, UTC), `event`, then the fields. These
 * three names are not for fields. Nothing is redacted here: secrets must not come this far.
 */
export function createLogger(options: LoggerOptions): LeveledLogger {
  const { level, destination = 1 } = options
  // Written at once: the last line before an exit is the one that matters, and lines are few.
  const stream =
    typeof destination === 'number'
      ? pino.destination({ dest: destination, sync: true })
      : destination
  const lines = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
  const writer = (weight: 'debug' | 'info' | 'warn' | 'error') => {
    return (event: string, fields?: LogFields) => {
      if (lines.isLevelEnabled(weight)) lines[weight]({ event, ...fields })
    }
  }
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    setLevel(next) {
      lines.level = next
    },
  }
}
