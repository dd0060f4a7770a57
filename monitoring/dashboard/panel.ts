/** Units as Grafana names them. */
export type Unit = 'short' | 's' | 'bytes' | 'Bps' | 'cps' | 'percentunit'

/** One query of a panel. */
export interface Query {
  readonly expr: string
  /** Name of each series, in Grafana's template language: `{{pool}}`. */
  readonly legend: string
}

/** A panel, in as many words as it needs. */
export interface Panel {
  readonly title: string
  /** What it shows, and what to make of it. */
  readonly description: string
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** `number`: the latest value, large. @defaultValue `'lines'` */
  readonly shape?: 'lines' | 'stack' | 'number'
  /** Top of the axis, where there is a natural one. */
  readonly max?: number
  /** Values from which a number is not green any more. */
  readonly warnFrom?: number
  readonly alarmFrom?: number
}

/** Panels under one heading. */
export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}
