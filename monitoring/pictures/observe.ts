import type { Cleaning } from '../../test/support/served-proxy.ts'
import { readDashboard } from '../dashboard/read-dashboard.ts'
import { emptyPanels, type FilledRow, fillRow, RATE_STEPS } from './gather.ts'
import { live } from './life.ts'
import { startWatchedTown, type WatchedTown } from './town.ts'

/** How long a town is watched, and how closely. */
export interface Observation {
  /** Of a day of the town. */
  readonly seconds: number
  /** Between scrapes. */
  readonly intervalMs: number
  /** Most days that are waited for something to be seen in each panel. @defaultValue `1` */
  readonly mostDays?: number
}

/** Lets a town live under Prometheus' eyes. Returns what each panel of the dashboard shows of it. */
export async function observe(
  cleaning: Cleaning,
  { seconds, intervalMs, mostDays = 1 }: Observation,
): Promise<readonly FilledRow[]> {
  const town = await startWatchedTown(cleaning, `${intervalMs}ms`)
  const stepSeconds = intervalMs / 1000
  // Before that, no rate can be told.
  const start = Math.ceil(Date.now() / 1000 + RATE_STEPS * stepSeconds)
  for (let day = 1; ; day += 1) {
    await live(town, seconds)
    const span = { start, end: Math.floor(Date.now() / 1000), stepSeconds }
    const rows = await fillRows(town, span)
    if (day >= mostDays || emptyPanels(rows).length === 0) return rows
  }
}

async function fillRows(
  { prometheus }: WatchedTown,
  span: Parameters<typeof fillRow>[2],
): Promise<readonly FilledRow[]> {
  const rows: FilledRow[] = []
  for (const row of readDashboard().rows) rows.push(await fillRow(prometheus, row, span))
  return rows
}
