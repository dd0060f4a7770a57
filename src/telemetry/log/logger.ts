import pino from 'pino'
import { type Clock, systemClock } from '../../base/clock.ts'
import type { LogEvent } from '../../base/log-events.ts'
import type { LogFields, Logger, LogWeight } from '../../base/logger.ts'
import { type LogLevel, TenantLogLevels } from './tenant-log-levels.ts'

/** A logger whose level can change while it is in use, as a whole and for single tenants. */
export interface LeveledLogger extends Logger {
  setLevel(level: LogLevel): void
  readonly tenantLevels: TenantLogLevels
}

/** What a logger is made of. */
export interface LoggerOptions {
  readonly level: LogLevel
  /** A file descriptor, or what takes whole lines. @defaultValue `1`, standard output */
  readonly destination?: number | { write(line: string): void }
  /** Ends the levels of tenants. @defaultValue the clock of the machine */
  readonly clock?: Clock
}

const RANKS = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const satisfies Record<
  LogLevel,
  number
>

/**
 * Writes one JSON object a line: `level`, `time` (ISO 8601, UTC), `event`, then the fields. These
 * three names are not for fields. Nothing is redacted here: secrets must not come this far.
 */
export function createLogger(options: LoggerOptions): LeveledLogger {
  const { destination = 1, clock = systemClock } = options
  const lines = openLines(destination)
  let rank: number = RANKS[options.level]
  /** The lowest level of any tenant: as long as it is above debug, one comparison says no. */
  let lowest = rank
  const rankOf = (tenant: LogFields[string]): number => {
    const level = typeof tenant === 'string' ? tenantLevels.levelOf(tenant) : undefined
    return level === undefined ? rank : RANKS[level]
  }
  const changed = () => {
    lowest = Math.min(rank, ...tenantLevels.list().map(({ level }) => RANKS[level]))
  }
  const write = (weight: LogWeight, event: LogEvent, fields: LogFields | undefined) => {
    if (RANKS[weight] < lowest || RANKS[weight] < rankOf(fields?.['tenant'])) return
    lines[weight]({ event, ...fields })
  }
  /** Not judged by the level that it tells of. */
  const tell = (event: LogEvent, fields: LogFields) => {
    changed()
    if (RANKS.info >= rank) lines.info({ event, ...fields })
  }
  const tenantLevels = new TenantLogLevels(clock, {
    set: ({ tenant, level: to, leftMs: forMs }) =>
      tell('tenant log level set', { tenant, to, forMs }),
    ended: (tenant) => tell('tenant log level ended', { tenant }),
  })
  return {
    debug: (event, fields) => write('debug', event, fields),
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    error: (event, fields) => write('error', event, fields),
    isDebugging: (tenant) => lowest === RANKS.debug && rankOf(tenant) === RANKS.debug,
    setLevel(next) {
      rank = RANKS[next]
      changed()
    },
    tenantLevels,
  }
}

function openLines(destination: NonNullable<LoggerOptions['destination']>): pino.Logger {
  // Written at once: the last line before an exit is the one that matters, and lines are few.
  const stream =
    typeof destination === 'number'
      ? pino.destination({ dest: destination, sync: true })
      : destination
  return pino(
    {
      // Which lines are written is decided before they come here.
      level: 'debug',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
}
