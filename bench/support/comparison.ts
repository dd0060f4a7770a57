import {
  type PgbenchLoad,
  type PgbenchResult,
  type PgbenchTarget,
  runPgbench,
} from './pgbench-run.ts'
import { cpuMs } from './process-usage.ts'
import { progress } from './report.ts'
import { rotate } from './statistics.ts'

/** A target, and the process whose CPU time counts. */
type Measured = PgbenchTarget & { readonly pid: number | undefined }

/** Everything that takes part. */
export interface Targets {
  readonly pgusher: Measured
  readonly pgbouncer: Measured
  readonly pgbouncerSession: Measured
  readonly direct: Measured
  /** Whether PgBouncer can do `prepared` in transaction mode. */
  readonly isPreparedOverTransactions: boolean
}

/** One run. */
export interface Run extends PgbenchResult {
  /** CPU time of the proxy for one transaction, in µs; `undefined` without a proxy. */
  readonly cpuUs: number | undefined
}

/** One round: the three, one after the other. */
export type Round = Readonly<Record<'pgusher' | 'pgbouncer' | 'direct', Run>>

/** All rounds of one load. */
export interface Comparison {
  readonly load: PgbenchLoad
  /** The mode in which PgBouncer ran. */
  readonly pgbouncerMode: 'transaction' | 'session'
  readonly rounds: readonly Round[]
}

/** Runs the three in turns, so that a slow spell of the machine meets all of them. */
export async function measure(
  targets: Targets,
  load: PgbenchLoad,
  roundCount: number,
): Promise<Comparison> {
  const isSession = load.mode === 'prepared' && !targets.isPreparedOverTransactions
  const inTurn = {
    pgusher: targets.pgusher,
    pgbouncer: isSession ? targets.pgbouncerSession : targets.pgbouncer,
    direct: targets.direct,
  }
  const names = ['pgusher', 'pgbouncer', 'direct'] as const
  // The first second opens server connections and warms the compiler up.
  for (const name of names) await runPgbench(inTurn[name], { ...load, seconds: 1 })
  const rounds: Round[] = []
  for (let count = 0; count < roundCount; count += 1) {
    const runs = new Map<string, Run>()
    for (const name of rotate(names, count)) runs.set(name, await runOnce(inTurn[name], load))
    rounds.push({
      pgusher: found(runs, 'pgusher'),
      pgbouncer: found(runs, 'pgbouncer'),
      direct: found(runs, 'direct'),
    })
    const shown = names.map((name) => `${name} ${Math.round(found(runs, name).perSecond)}/s`)
    progress(`${load.mode} ${load.clients}, round ${count + 1}: ${shown.join(', ')}`)
  }
  return { load, pgbouncerMode: isSession ? 'session' : 'transaction', rounds }
}

async function runOnce(target: Measured, load: PgbenchLoad): Promise<Run> {
  if (target.pid === undefined) return { ...(await runPgbench(target, load)), cpuUs: undefined }
  const beforeMs = cpuMs(target.pid)
  const result = await runPgbench(target, load)
  const usedMs = cpuMs(target.pid) - beforeMs
  return { ...result, cpuUs: (usedMs * 1000) / result.transactions }
}

function found(runs: ReadonlyMap<string, Run>, name: string): Run {
  const run = runs.get(name)
  if (run === undefined) throw new Error(`${name} did not run`)
  return run
}
