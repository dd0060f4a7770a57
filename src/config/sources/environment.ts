import { nearestName } from '../../base/nearest-name.ts'
import type { SettingPath } from '../../catalog/documents/setting-path.ts'
import type { ConfigProblem } from '../config-errors.ts'
import type { ReferenceResolver } from './references.ts'
import { type SchemaNode, type SettingRow, schemaAt, settingPaths } from './setting-paths.ts'
import { readYaml, type YamlSource } from './yaml-source.ts'

/** A setting that an environment variable gives. */
export interface Override {
  readonly path: SettingPath
  readonly value: unknown
  readonly variable: string
  /** Of a list or map, which the variable holds as YAML. */
  readonly yaml: YamlSource | undefined
}

/** Not settings of the configuration: the name of its file, and what tests need. */
const OTHER_VARIABLES = /^PGUSHER_(CONFIG$|TEST_)/

/**
 * What Kubernetes puts into every pod for a Service called `pgusher` or `pgusher-…`.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK =
  /^PGUSHER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/
const SERVICE_LINK_PORT = /^PGUSHER_(\w+_)?PORT$/
const SERVICE_LINK_URL = /^(tcp|udp|sctp):\/\//

/** The settings that `PGUSHER_*` variables give; a variable that names none is a problem. */
export function readOverrides(
  env: NodeJS.ProcessEnv,
  resolve: ReferenceResolver,
): { readonly overrides: readonly Override[]; readonly problems: readonly ConfigProblem[] } {
  const rows = new Map<string, SettingRow>()
  for (const row of settingPaths()) if (row.variable !== undefined) rows.set(row.variable, row)
  const overrides: Override[] = []
  const problems: ConfigProblem[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith('PGUSHER_')) continue
    const row = rows.get(variable)
    if (row !== undefined) {
      overrides.push(readOverride({ row, variable, text }, resolve, problems))
    } else if (!OTHER_VARIABLES.test(variable) && !isServiceLink(variable, text)) {
      problems.push(unknownVariable(variable, rows.keys()))
    }
  }
  return { overrides, problems }
}

/** Reads a text as what the setting takes; it stays text where it doesn't fit. */
export function coerceText(node: SchemaNode | undefined, text: string): unknown {
  const choices = node?.anyOf ?? (node === undefined ? [] : [node])
  const takes = (type: string): boolean => choices.some((choice) => choice.type === type)
  if ((takes('integer') || takes('number')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (takes('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function readOverride(
  { row, variable, text }: { row: SettingRow; variable: string; text: string },
  resolve: ReferenceResolver,
  problems: ConfigProblem[],
): Override {
  const path = row.path.split('.')
  const node = schemaAt(path)
  if (node?.type === 'array' || node?.type === 'object') {
    const yaml = readYaml(text, variable, resolve)
    for (const problem of yaml.problems) {
      const below = problem.path.startsWith('[') ? problem.path : `.${problem.path}`
      problems.push({ ...problem, path: problem.path === '' ? row.path : row.path + below })
    }
    return { path, value: yaml.value, variable, yaml }
  }
  const resolved = resolve(text)
  if (resolved.kind === 'text') {
    return { path, value: coerceText(node, resolved.text), variable, yaml: undefined }
  }
  const { message, remedy } = resolved
  const nowhere = { line: undefined, column: undefined }
  problems.push({ source: variable, ...nowhere, path: row.path, message, remedy })
  return { path, value: text, variable, yaml: undefined }
}

/** By name and value: a mistyped `PGUSHER_PORT=6432` must not pass as one of them. */
function isServiceLink(variable: string, text: string): boolean {
  if (SERVICE_LINK.test(variable)) return true
  return SERVICE_LINK_PORT.test(variable) && SERVICE_LINK_URL.test(text)
}

function unknownVariable(variable: string, known: Iterable<string>): ConfigProblem {
  const nearest = nearestName(variable, known)
  const remedy =
    nearest === undefined
      ? 'Remove it; docs/config.md lists the variables.'
      : `Did you mean ${nearest}?`
  const message = 'no setting has this variable'
  return { source: variable, line: undefined, column: undefined, path: '', message, remedy }
}
