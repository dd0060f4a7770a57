import { fileURLToPath } from 'node:url'
import { buildDashboard } from './build-dashboard.ts'

/** Where the chart takes the dashboard from. */
export const DASHBOARD_FILE = fileURLToPath(
  new URL('../../../helm/pgusher/files/dashboards/pgusher.json', import.meta.url),
)

/** What stands there when it is up to date. */
export function dashboardText(): string {
  return `${JSON.stringify(buildDashboard(), null, 2)}\n`
}
