/** What Grafana's variables stand for. */
export interface Variables {
  /** Such as `4s`: four scrapes. */
  readonly rateInterval: string
  /** Such as `5m`: the time that is shown. */
  readonly range: string
}

/** A query as Grafana would send it while everything is selected. */
export function expandQuery(query: string, { rateInterval, range }: Variables): string {
  return query
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$__range', range)
    .replaceAll(/\$(?:namespace|instance|tenant)\b/g, '.*')
}
