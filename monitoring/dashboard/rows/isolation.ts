import type { Row } from '../panel.ts'
import { ratesBy, series, totalRate } from '../queries.ts'

export const isolation: Row = {
  title: 'Isolation',
  panels: [
    {
      title: 'Violations',
      description:
        'Server connections closed because their tenant had left its place in a way that no text showed, by what was changed; since the start of the proxies.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (kind) (${series('pgusher_isolation_violations_total')}) or on () vector(0)`,
          legend: '{{kind}}',
        },
      ],
    },
    {
      title: 'Statements refused',
      description:
        'Statements that would have led their tenant out of its place, by what they would have set.',
      unit: 'cps',
      queries: [ratesBy('reason', 'pgusher_guard_refusals_total')],
    },
    {
      title: 'Pins',
      description:
        'Clients in transaction mode that had to keep their server connection, by the state they made. Each takes a connection out of the pool.',
      unit: 'cps',
      queries: [ratesBy('reason', 'pgusher_pins_total')],
    },
    {
      title: 'Changes of tenant',
      description: 'That clients asked for in their sessions, by what became of them.',
      unit: 'cps',
      queries: [ratesBy('result', 'pgusher_tenant_switches_total')],
    },
    {
      title: 'Records refused',
      description: 'Records of the catalog that were malformed, or that no key opens.',
      unit: 'cps',
      queries: [totalRate('pgusher_catalog_refused_records_total', 'records')],
    },
  ],
}
