import { writeFileSync } from 'node:fs'
import { DASHBOARD_FILE, dashboardText } from './dashboard-file.ts'

writeFileSync(DASHBOARD_FILE, dashboardText())
