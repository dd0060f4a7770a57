import { parseArgs } from 'node:util'

/** The options of a bench; a value is text, a flag has none. */
export type BenchOptions = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>

/** What was given on the command line. */
export interface BenchArguments {
  has(name: string): boolean
  text(name: string): string | undefined
  /** Ends the process when it is no number above 0. */
  number(name: string, standard: number): number
  /** Ends the process with a reason and the usage. */
  refuse(reason: string): never
}

/** Reads the command line: ends the process with the usage when it can't be read. */
export function readArguments(usage: string, options: BenchOptions): BenchArguments {
  const values = parse(usage, options)
  const text = (name: string) => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    has: (name) => values[name] === true,
    text,
    number(name, standard) {
      const value = Number(text(name) ?? standard)
      if (!(value > 0)) refuse(usage, `--${name} must be a number above 0`)
      return value
    },
    refuse: (reason) => refuse(usage, reason),
  }
}

function parse(usage: string, options: BenchOptions): Readonly<Record<string, unknown>> {
  const help = { type: 'boolean' } as const
  try {
    const { values } = parseArgs({ options: { ...options, help } })
    if (!values['help']) return values
    process.stdout.write(usage)
    process.exit(0)
  } catch (error) {
    refuse(usage, error instanceof Error ? error.message : String(error))
  }
}

function refuse(usage: string, reason: string): never {
  process.stderr.write(`${reason}\n${usage}`)
  process.exit(2)
}
