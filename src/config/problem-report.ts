import type { z } from 'zod'
import type { Finding, Problems, SettingPart } from '../catalog/documents/problems.ts'
import { formatPath, type SettingPath, valueAt } from '../catalog/documents/setting-path.ts'
import { ConfigError, type ConfigProblem } from './config-errors.ts'
import { describeIssue } from './issue-text.ts'
import type { ConfigInput, SettingPlace } from './sources/config-input.ts'

/** Collects everything that is wrong with one configuration, with its place. */
export class ProblemReport implements Problems {
  readonly #input: ConfigInput
  readonly #problems: ConfigProblem[]
  /** What follows from a setting's first problem is noise, such as a missing reference's `${env:X}`. */
  readonly #faultyPaths: Set<string>

  constructor(input: ConfigInput) {
    this.#input = input
    this.#problems = [...input.problems]
    this.#faultyPaths = new Set(input.problems.map(({ path }) => path))
  }

  add(path: SettingPath, finding: Finding, part: SettingPart = 'value'): void {
    const text = formatPath(path)
    if (this.#faultyPaths.has(text)) return
    this.#faultyPaths.add(text)
    this.#problems.push({ ...this.#input.locate(path, part), path: text, ...finding })
  }

  /** Where a setting stands, for a message about another one. */
  placeOf(path: SettingPath): string {
    const { source, line }: SettingPlace = this.#input.locate(path, 'value')
    return line === undefined ? source : `${source}:${line}`
  }

  /** The value that a schema makes of the setting at `path`; `undefined` when it has problems. */
  read<Schema extends z.ZodType>(
    schema: Schema,
    value: unknown,
    path: SettingPath,
  ): z.output<Schema> | undefined {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    for (const issue of result.error.issues) {
      for (const { below, finding, part } of describeIssue(issue, { value, path })) {
        this.add([...path, ...below], finding, part)
      }
    }
    return undefined
  }

  /**
   * As `read`, but of a value with problems it makes what it can without the parts that have them,
   * so that the sound parts can be checked further in the same run.
   */
  readSound<Schema extends z.ZodType>(
    schema: Schema,
    value: unknown,
    path: SettingPath,
  ): z.output<Schema> | undefined {
    const whole = this.read(schema, value, path)
    return whole ?? schema.safeParse(withoutFaults(schema, value)).data
  }

  /** @throws ConfigError - when anything was wrong. */
  throwIfAny(): void {
    if (this.#problems.length === 0) return
    const others = this.#problems.map(({ source }) => source)
    const sources = [...new Set([this.#input.file, ...others])]
    const sorted = this.#problems.toSorted(
      (left, right) =>
        sources.indexOf(left.source) - sources.indexOf(right.source) ||
        (left.line ?? 0) - (right.line ?? 0) ||
        (left.column ?? 0) - (right.column ?? 0),
    )
    throw new ConfigError(Object.freeze(sorted.map((problem) => Object.freeze(problem))))
  }
}

/** A copy of the value that lacks the settings that the schema finds fault with. */
function withoutFaults(schema: z.ZodType, value: unknown): unknown {
  const copy = structuredClone(value)
  for (const issue of schema.safeParse(value).error?.issues ?? []) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [undefined]
    for (const key of keys) {
      const path = key === undefined ? issue.path : [...issue.path, key]
      removeAt(copy, path as SettingPath)
    }
  }
  return copy
}

/** Removes a key of a map; for an item of a list, the list. */
function removeAt(root: unknown, path: SettingPath): void {
  const index = path.findIndex((step) => typeof step === 'number')
  const keys = index < 0 ? path : path.slice(0, index)
  const parent = valueAt(root, keys.slice(0, -1))
  const key = keys.at(-1)
  if (typeof parent === 'object' && parent !== null && key !== undefined) {
    Reflect.deleteProperty(parent, key)
  }
}
