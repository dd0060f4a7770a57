import type { Histogram, MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

/** One value of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Names a metric. */
export interface ReadMetricOptions {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
}

/**
 * Registers a metric whose samples are read at each scrape from where they are kept anyway.
 * prom-client's own would make a key of the labels of each, to keep it a second time.
 */
export function registerRead(
  registry: Registry,
  { name, help, type }: ReadMetricOptions,
  read: () => readonly Sample[],
): void {
  const metric = {
    name,
    async get(): Promise<Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>> {
      return {
        name,
        help,
        // A const enum in prom-client's types, a plain string at run time.
        type: type as unknown as MetricObjectWithValues<MetricValue<string>>['type'],
        aggregator: 'sum',
        values: [...read()],
      }
    },
  }
  // The registry asks a metric for its name and for get(); its type wants a class of its own.
  registry.registerMetric(metric as unknown as Histogram)
}

/** The one sample of a metric without labels. */
export function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }]
}
