/** A metrics page, read back. */
export interface MetricsPage {
  /** Type by metric. */
  readonly types: ReadonlyMap<string, string>
  readonly help: ReadonlyMap<string, string>
  /** Value by sample, as it is written: `name{label="value"}`. */
  readonly samples: ReadonlyMap<string, number>
}

/** Reads the text format; throws at a line that is none of it, and at a sample that comes twice. */
export function readMetrics(text: string): MetricsPage {
  const types = new Map<string, string>()
  const help = new Map<string, string>()
  const samples = new Map<string, number>()
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') help.set(name, rest)
    else if (kind === 'TYPE') types.set(name, rest)
    else addSample(samples, line)
  }
  return { types, help, samples }
}

function addSample(samples: Map<string, number>, line: string): void {
  const [, sample, value] = /^([a-z_0-9]+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
  // prom-client writes Nan, which Prometheus takes for NaN.
  const isNumber = value === 'Nan' || !Number.isNaN(Number(value))
  if (sample === undefined || !isNumber) throw new Error(`no sample: ${line}`)
  if (samples.has(sample)) throw new Error(`twice: ${sample}`)
  samples.set(sample, Number(value))
}
