import type { SettingPart } from '../../catalog/documents/problems.ts'
import { type SettingPath, valueAt } from '../../catalog/documents/setting-path.ts'
import type { ConfigProblem } from '../config-errors.ts'
import { coerceText, type Override, readOverrides } from './environment.ts'
import { createReferenceResolver } from './references.ts'
import { schemaAt, settingPaths } from './setting-paths.ts'
import { readYaml, type YamlSource } from './yaml-source.ts'

/** Where a setting was given. */
export type SettingPlace = Pick<ConfigProblem, 'source' | 'line' | 'column'>

/** File and environment laid over each other, not yet validated. */
export interface ConfigInput {
  readonly file: string
  readonly root: Readonly<Record<string, unknown>>
  /** Found before validation. */
  readonly problems: readonly ConfigProblem[]
  locate(path: SettingPath, part: SettingPart): SettingPlace
}

/** @param text - The content of the file, in YAML. */
export function readInput(file: string, text: string, env: NodeJS.ProcessEnv): ConfigInput {
  const resolve = createReferenceResolver(env)
  const yaml = readYaml(text, file, resolve)
  const { overrides, problems } = readOverrides(env, resolve)
  const all = [...yaml.problems, ...problems]
  const root = isRecord(yaml.value) ? yaml.value : {}
  if (!isRecord(yaml.value)) {
    const remedy = 'Write it as in config/minimal.yaml.'
    const message = 'the configuration must be a map'
    all.push({ source: file, ...yaml.locate([], 'value'), path: '', message, remedy })
  }
  coerceReferenced(root, yaml)
  for (const { path, value } of overrides) setAt(root, path, value)
  return {
    file,
    root,
    problems: all,
    locate: (path, part) => locateIn({ file, yaml, overrides }, path, part),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a reference brings is text; here it becomes the number or boolean that its setting takes. */
function coerceReferenced(root: Record<string, unknown>, yaml: YamlSource): void {
  for (const { path: text, variable } of settingPaths()) {
    if (variable === undefined) continue
    const path = text.split('.')
    const value = valueAt(root, path)
    if (typeof value !== 'string' || !yaml.isReferenced(path)) continue
    setAt(root, path, coerceText(schemaAt(path), value))
  }
}

function setAt(root: Record<string, unknown>, path: SettingPath, value: unknown): void {
  let at = root
  for (const step of path.slice(0, -1)) {
    at[step] ??= {}
    const next = at[step]
    // Validation will find fault with what stands in the way.
    if (!isRecord(next)) return
    at = next
  }
  at[path.at(-1) ?? ''] = value
}

function locateIn(
  { file, yaml, overrides }: { file: string; yaml: YamlSource; overrides: readonly Override[] },
  path: SettingPath,
  part: SettingPart,
): SettingPlace {
  const override = overrides.find((one) => one.path.every((step, index) => step === path[index]))
  if (override === undefined) return { source: file, ...yaml.locate(path, part) }
  const { variable } = override
  if (override.yaml === undefined) return { source: variable, line: undefined, column: undefined }
  return { source: variable, ...override.yaml.locate(path.slice(override.path.length), part) }
}
