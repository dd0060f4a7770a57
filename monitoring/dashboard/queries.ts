import type { Query } from './panel.ts'

/** The proxies that are looked at; `.*` also fits where there is no such label. */
const TARGETS = 'namespace=~"$namespace", instance=~"$instance"'
/** At least four scrapes, as Grafana reckons it. */
const WINDOW = '$__rate_interval'

/** Selects the series of a metric, of the proxies that are looked at. */
export function series(metric: string, labels = ''): string {
  return `${metric}{${TARGETS}${labels === '' ? '' : `, ${labels}`}}`
}

/** Increase of a counter a second. */
export function rate(counter: string, labels = ''): string {
  return `rate(${series(counter, labels)}[${WINDOW}])`
}

/** Increase of a counter a second, added up over proxies; a line for each value of `label`. */
export function ratesBy(label: string, counter: string, labels = ''): Query {
  return { expr: `sum by (${label}) (${rate(counter, labels)})`, legend: `{{${label}}}` }
}

/** The same, in one line. */
export function totalRate(counter: string, legend: string): Query {
  return { expr: `sum(${rate(counter)})`, legend }
}

/** A gauge, added up over proxies; a line for each value of `label`. */
export function sumBy(label: string, gauge: string, labels = ''): Query {
  return { expr: `sum by (${label}) (${series(gauge, labels)})`, legend: `{{${label}}}` }
}

/** A gauge, of the proxy where it is highest; a line for each value of `label`. */
export function highestBy(label: string, gauge: string): Query {
  return { expr: `max by (${label}) (${series(gauge)})`, legend: `{{${label}}}` }
}

/** A gauge, added up over proxies. */
export function total(gauge: string, legend: string): Query {
  return { expr: `sum(${series(gauge)})`, legend }
}

/** Times that half, 95 % and 99 % of what a histogram saw stayed below. */
export function percentiles(histogram: string): readonly Query[] {
  return [50, 95, 99].map((percent) => ({
    expr: `histogram_quantile(${percent / 100}, sum by (le) (${rate(`${histogram}_bucket`)}))`,
    legend: `p${percent}`,
  }))
}

/** The ten tenants with the highest values, over all proxies. */
export function topTenants(value: string): Query {
  return { expr: `topk(10, sum by (tenant) (${value}))`, legend: '{{tenant}}' }
}

/** Labels that select the tenants that are looked at. */
export const TENANTS = 'tenant=~"$tenant"'
