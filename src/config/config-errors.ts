import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { Finding } from '../catalog/documents/problems.ts'

/** One thing that is wrong with the configuration. Holds no secret. */
export interface ConfigProblem extends Finding {
  /** The file, or the environment variable, that the setting was read from. */
  readonly source: string
  /** Counted from 1; `undefined` for a plain value of an environment variable. */
  readonly line: number | undefined
  /** Counted from 1. */
  readonly column: number | undefined
  /** The setting, such as `tenants[2].strategy`; empty for the configuration as a whole. */
  readonly path: string
}

/** The configuration can't be used; its message is fit to print. */
export class ConfigError extends ProxyError {
  override readonly code = 'CONFIG_INVALID'
  override readonly sqlState = SqlState.configFileError
  override readonly origin = 'proxy'
  override readonly clientMessage = 'the proxy is not configured correctly'
  /** All of them, in the order of the file, then of the environment. */
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map(formatProblem).join('\n'), options)
    this.problems = problems
  }
}

/** One line: `pgusher.yaml:12:5: tenants[2].strategy: 'shema' … Did you mean 'schema'?` */
function formatProblem({ source, line, column, path, message, remedy }: ConfigProblem): string {
  const place = line === undefined ? source : `${source}:${line}:${column}`
  const subject = path === '' ? '' : `${path}: `
  return `${place}: ${subject}${message}. ${remedy}`
}
