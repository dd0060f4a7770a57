import type { Row } from '../panel.ts'
import { rate, ratesBy, series, sumBy, total } from '../queries.ts'

export const access: Row = {
  title: 'Logins and catalog',
  panels: [
    {
      title: 'Failed authentication',
      description: 'By the true reason, which clients are never told.',
      unit: 'cps',
      queries: [ratesBy('reason', 'pgusher_auth_failures_total')],
    },
    {
      title: 'Lookups',
      description:
        'Names of tenants and logins looked up in each layer of the catalog, by what it made of them.',
      unit: 'cps',
      queries: [
        {
          expr: `sum by (layer, result) (${rate('pgusher_catalog_lookups_total')})`,
          legend: '{{layer}} {{result}}',
        },
      ],
    },
    {
      title: 'Lookup time, p99',
      description: 'How long all but one in a hundred lookups in a layer took at most.',
      unit: 's',
      queries: [
        {
          expr: `histogram_quantile(0.99, sum by (layer, le) (${rate('pgusher_catalog_lookup_seconds_bucket')}))`,
          legend: '{{layer}}',
        },
      ],
    },
    {
      title: 'Answered from memory',
      description: 'Lookups that needed neither Redis nor Postgres, as a share.',
      unit: 'percentunit',
      max: 1,
      queries: [
        {
          expr: `sum(${rate('pgusher_catalog_lookups_total', 'layer="memory", result=~"hit|absent"')}) / sum(${rate('pgusher_catalog_lookups_total', 'layer="memory"')} > 0)`,
          legend: 'from memory',
        },
      ],
    },
    {
      title: 'Sources',
      description:
        'Proxies that get answers from the Postgres of the catalog, and from Redis. Empty where none is configured.',
      unit: 'short',
      queries: [total('pgusher_catalog_source_up', 'Postgres'), total('pgusher_redis_up', 'Redis')],
    },
    {
      title: 'Breakers that are not closed',
      description: 'Proxies that leave a layer alone, as it failed of late.',
      unit: 'short',
      queries: [sumBy('layer', 'pgusher_catalog_breaker_state', 'state!="closed"')],
    },
    {
      title: 'Staleness',
      description:
        'Age of the oldest record used past its time, as its source did not answer. At `catalog.maxStaleMs` clients are refused.',
      unit: 's',
      queries: [
        { expr: `max(${series('pgusher_catalog_staleness_seconds')})`, legend: 'staleness' },
      ],
    },
    {
      title: 'Names in memory',
      description: 'Tenants and logins that the proxies remember.',
      unit: 'short',
      queries: [total('pgusher_catalog_entries', 'names')],
    },
    {
      title: 'Changes',
      description: 'Messages that the catalog has changed, by whom they came from.',
      unit: 'cps',
      queries: [ratesBy('via', 'pgusher_catalog_changes_total')],
    },
  ],
}
