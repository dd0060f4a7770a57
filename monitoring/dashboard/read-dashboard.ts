import { readFileSync } from 'node:fs'
import { DASHBOARD_FILE } from './dashboard-file.ts'

/** A panel as the dashboard's JSON has it. */
export interface ShownPanel {
  readonly title: string
  readonly description: string
  readonly unit: string
  readonly isNumber: boolean
  readonly isStacked: boolean
  readonly thresholds: readonly { readonly value: number | null; readonly color: string }[]
  readonly queries: readonly { readonly expr: string; readonly legend: string }[]
  /** In Grafana's grid of 24 columns. */
  readonly place: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
}

/** The panels below one heading. */
export interface ShownRow {
  readonly title: string
  readonly panels: readonly ShownPanel[]
}

/** As much of the JSON as is read here. */
interface PanelJson {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: ShownPanel['place']
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string
      readonly thresholds?: { readonly steps: ShownPanel['thresholds'] }
      readonly custom?: { readonly stacking?: { readonly mode: string } }
    }
  }
}

interface DashboardJson {
  readonly panels: readonly PanelJson[]
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly definition?: string }[]
  }
}

/** Reads the dashboard that the chart ships. */
export function readDashboard(): {
  readonly rows: readonly ShownRow[]
  readonly variableQueries: readonly string[]
} {
  const { panels, templating }: DashboardJson = JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8'))
  const rows: { title: string; panels: ShownPanel[] }[] = []
  for (const panel of panels) {
    if (panel.type === 'row') rows.push({ title: panel.title, panels: [] })
    else rows.at(-1)?.panels.push(shownPanel(panel))
  }
  const queries = templating.list.filter(({ type }) => type === 'query')
  return { rows, variableQueries: queries.map(({ definition = '' }) => definition) }
}

function shownPanel({ type, title, description, gridPos, targets, fieldConfig }: PanelJson) {
  const { unit = '', thresholds, custom } = fieldConfig?.defaults ?? {}
  return {
    title,
    description: description ?? '',
    unit,
    isNumber: type === 'stat',
    isStacked: custom?.stacking?.mode === 'normal',
    thresholds: thresholds?.steps ?? [],
    queries: (targets ?? []).map(({ expr, legendFormat }) => ({ expr, legend: legendFormat })),
    place: gridPos,
  }
}
