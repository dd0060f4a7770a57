import type { Comparison, Round, Run } from './comparison.ts'
import type { Report } from './report.ts'
import { median } from './statistics.ts'

type Figure = (run: Run) => number

const perSecond: Figure = (run) => run.perSecond
const latency: Figure = (run) => run.latencyMs
const cpu: Figure = (run) => run.cpuUs ?? Number.NaN

/** Figures of PgUsher beside ratios to the other two of the same round; medians over the rounds. */
export function comparisonReport(
  comparisons: readonly Comparison[],
  { version, rounds }: { readonly version: string; readonly rounds: number },
): Report {
  const hasSession = comparisons.some(({ pgbouncerMode }) => pgbouncerMode === 'session')
  return {
    columns: [
      'pgbench -S',
      'clients',
      'tps',
      '÷ PgBouncer',
      '÷ direct',
      'latency ms',
      '÷ PgBouncer',
      '÷ direct',
      'CPU µs/tx',
      '÷ PgBouncer',
    ],
    rows: comparisons.map(row),
    notes: [
      `Medians of ${rounds} rounds; each ratio is taken within a round. PgBouncer ${version}, Postgres 18.`,
      ...(hasSession
        ? [
            '\n* PgBouncer in session mode with a server connection for each client, as this version',
            '  has no prepared statements in transaction mode: it does less there.',
          ]
        : []),
    ],
  }
}

function row({ load, pgbouncerMode, rounds }: Comparison): readonly string[] {
  const mark = pgbouncerMode === 'session' ? '*' : ''
  const middle = (figure: Figure) => median(rounds.map(({ pgusher }) => figure(pgusher)))
  const ratio = (figure: Figure, other: Exclude<keyof Round, 'pgusher'>) =>
    median(rounds.map((round) => figure(round.pgusher) / figure(round[other]))).toFixed(2)
  return [
    load.mode,
    String(load.clients),
    Math.round(middle(perSecond)).toLocaleString('en-US'),
    ratio(perSecond, 'pgbouncer') + mark,
    ratio(perSecond, 'direct'),
    middle(latency).toFixed(3),
    ratio(latency, 'pgbouncer') + mark,
    ratio(latency, 'direct'),
    middle(cpu).toFixed(1),
    ratio(cpu, 'pgbouncer') + mark,
  ]
}
