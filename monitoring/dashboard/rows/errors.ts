import type { Row } from '../panel.ts'
import { highestBy, rate, ratesBy } from '../queries.ts'

export const errors: Row = {
  title: 'Errors',
  panels: [
    {
      title: 'Told to clients',
      description:
        'By class of their SQLSTATE and by who made them. 23: constraints; 42: wrong SQL; 40: deadlocks and serialization; 53: want of connections; 57: ended by an operator; 08: connections.',
      unit: 'cps',
      queries: [
        {
          expr: `sum by (class, origin) (${rate('pgusher_errors_total')})`,
          legend: '{{class}} {{origin}}',
        },
      ],
    },
    {
      title: 'Sessions ended by an error',
      description: 'By error code; docs/errors.md says what each means.',
      unit: 'cps',
      queries: [ratesBy('code', 'pgusher_sessions_closed_total', 'code!="ok"')],
    },
    {
      title: 'Checkouts refused',
      description: 'Requests for a server connection that came to nothing, by error code.',
      unit: 'cps',
      queries: [ratesBy('code', 'pgusher_pool_checkouts_refused_total')],
    },
    {
      title: 'Connections refused',
      description: 'Connections that were not let in, by error code.',
      unit: 'cps',
      queries: [ratesBy('code', 'pgusher_logins_refused_total')],
    },
    {
      title: 'Tenants affected',
      description:
        'How many tenants an error of the proxy hit lately, by its code: about as many as on the proxy with the most. One tenant has a fault of its own; many have one in common.',
      unit: 'short',
      queries: [highestBy('code', 'pgusher_tenants_affected')],
    },
  ],
}
