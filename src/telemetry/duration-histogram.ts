import type { Histogram, MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client'

type BucketValue = MetricValueWithName<'le'>

/** Names a histogram and its bounds. */
export interface DurationHistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, in seconds, rising; the last bucket has none. */
  readonly bounds: readonly number[]
}

/**
 * A histogram of durations without labels. prom-client's own hashes labels and allocates on each
 * observation; this one adds to three numbers, as one is taken per transaction.
 */
export class DurationHistogram {
  readonly name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  /** By bucket, not yet summed up; one more than there are bounds. */
  readonly #counts: number[]
  #sumMs = 0

  constructor({ name, help, bounds }: DurationHistogramOptions) {
    this.name = name
    this.#help = help
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** Makes the histogram part of what the registry shows. */
  register(registry: Registry): this {
    // The registry asks a metric for its name and for get(); its type wants the class as well.
    registry.registerMetric(this as unknown as Histogram)
    return this
  }

  observeMs(durationMs: number): void {
    this.#sumMs += durationMs
    const bucket = this.#bucketOf(durationMs / 1000)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
  }

  /** What prom-client asks of a metric at each scrape. */
  async get(): Promise<Omit<MetricObjectWithValues<BucketValue>, 'collect'>> {
    let count = 0
    const buckets = this.#counts.map((observed, index): BucketValue => {
      count += observed
      const le = this.#bounds[index] ?? '+Inf'
      return { metricName: `${this.name}_bucket`, labels: { le }, value: count }
    })
    const sum = { metricName: `${this.name}_sum`, labels: {}, value: this.#sumMs / 1000 }
    const total = { metricName: `${this.name}_count`, labels: {}, value: count }
    return {
      name: this.name,
      help: this.#help,
      // A const enum in prom-client's types, a plain string at run time.
      type: 'histogram' as unknown as MetricObjectWithValues<BucketValue>['type'],
      aggregator: 'sum',
      values: [...buckets, sum, total],
    }
  }

  #bucketOf(seconds: number): number {
    let bucket = 0
    while (seconds > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1
    return bucket
  }
}
