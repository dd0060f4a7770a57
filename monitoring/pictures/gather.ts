import type { Prometheus, Series } from '../../test/support/prometheus.ts'
import { expandQuery } from '../dashboard/expand-query.ts'
import type { ShownPanel, ShownRow } from '../dashboard/read-dashboard.ts'

/** What of the past is drawn. Unix time, in seconds. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly stepSeconds: number
}

/** A line of a panel: its name, and its value at each step, `null` where there is none. */
export interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
}

/** A panel with what Prometheus knows for it. */
export interface FilledPanel extends ShownPanel {
  readonly lines: readonly Line[]
}

/** A row with what Prometheus knows for it. */
export interface FilledRow {
  readonly title: string
  readonly times: readonly number[]
  readonly panels: readonly FilledPanel[]
}

/** So many steps are what a rate looks back over. */
export const RATE_STEPS = 8

/** Asks for all that a row shows. */
export async function fillRow(
  prometheus: Prometheus,
  row: ShownRow,
  span: Span,
): Promise<FilledRow> {
  const times = stepsOf(span)
  const panels: FilledPanel[] = []
  for (const panel of row.panels) {
    const lines: Line[] = []
    for (const { expr, legend } of panel.queries) {
      const found = await prometheus.range(expandQuery(expr, variables(span)), span)
      lines.push(...found.map((series) => lineOf(series, legend, times)))
    }
    panels.push({ ...panel, lines: lines.sort((a, b) => peak(b) - peak(a)) })
  }
  return { title: row.title, times, panels }
}

function peak({ values }: Line): number {
  return Math.max(...values.map((value) => value ?? 0))
}

/** The panels of which nothing is known. */
export function emptyPanels(rows: readonly FilledRow[]): readonly string[] {
  return rows.flatMap(({ title, panels }) =>
    panels
      .filter(({ lines }) => lines.every(({ values }) => values.every((value) => value === null)))
      .map((panel) => `${title}: ${panel.title}`),
  )
}

function variables({ start, end, stepSeconds }: Span) {
  return {
    rateInterval: `${Math.ceil(RATE_STEPS * stepSeconds * 1000)}ms`,
    range: `${Math.ceil(end - start)}s`,
  }
}

function stepsOf({ start, end, stepSeconds }: Span): readonly number[] {
  const count = Math.floor((end - start) / stepSeconds) + 1
  return Array.from({ length: count }, (_, step) => start + step * stepSeconds)
}

function lineOf({ labels, points }: Series, legend: string, times: readonly number[]): Line {
  // Both sides reckon in milliseconds; seconds with a fraction are not the same to the last bit.
  const byTime = new Map(points.map(([seconds, value]) => [Math.round(seconds * 1000), value]))
  const name = legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '')
  const values = times.map((seconds) => {
    const value = byTime.get(Math.round(seconds * 1000))
    return value !== undefined && Number.isFinite(value) ? value : null
  })
  return { name: name.trim() || 'all', values }
}
