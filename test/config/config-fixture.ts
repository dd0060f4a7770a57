import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { ConfigError, type ConfigProblem } from '../../src/config/config-errors.ts'
import { loadConfig } from '../../src/config/load-config.ts'

const directory = mkdtempSync(join(tmpdir(), 'pgusher-config-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'pgusher.yaml')
export const secretFile = join(directory, 'secret')
writeFileSync(secretFile, 'from file\n')

export const SECRETS = {
  APP_PASSWORD: 'app secret',
  REPORTS_PASSWORD: 'reports secret',
  POOL_PASSWORD: 'p@ss/w%rd:?#',
  ACME_PASSWORD: 'acme',
  GLOBEX_PASSWORD: 'globex',
}
export const SHARED = "servers: { shared: { url: 'postgresql://pool:x@db/saas' } }\n"

export function load(text: string, env: NodeJS.ProcessEnv = {}): Config {
  writeFileSync(file, text)
  return loadConfig({ file, env })
}

export function problemsOf(text: string, env: NodeJS.ProcessEnv = {}): readonly ConfigProblem[] {
  try {
    load(text, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** `line:column path` of each problem; the variable in place of the position where there is none. */
export function placesOf(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  return problemsOf(text, env).map(({ source, line, column, path }) =>
    `${line === undefined ? source : `${line}:${column}`} ${path}`.trimEnd(),
  )
}

export function tenantLine(line: string): string {
  return `${SHARED}tenants:\n  - ${line}\n`
}
