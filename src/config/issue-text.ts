import type { z } from 'zod'
import { nearestName } from '../base/nearest-name.ts'
import type { Finding, SettingPart } from '../catalog/documents/problems.ts'
import { type SettingPath, valueAt } from '../catalog/documents/setting-path.ts'
import { type SchemaNode, schemaAt, typeText } from './sources/setting-paths.ts'

type Issue = z.core.$ZodIssue

/** What was validated, and where it stands in the configuration. */
interface Subject {
  readonly value: unknown
  readonly path: SettingPath
}

interface DescribedIssue {
  /** Below the subject's path. */
  readonly below: SettingPath
  readonly finding: Finding
  readonly part: SettingPart
}

/** Zod's finding in words for people. Never shows a value that could be a secret. */
export function describeIssue(issue: Issue, { value, path }: Subject): DescribedIssue[] {
  const below = issue.path as SettingPath
  const node = schemaAt([...path, ...below])
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const finding = unknownKey(key, Object.keys(node?.properties ?? {}))
      return { below: [...below, key], finding, part: 'key' }
    })
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ below, finding: customFinding(inner), part: 'key' }))
  }
  const given = valueAt(value, below)
  if (issue.code === 'invalid_union') {
    const inner = innerIssue(issue, given)
    if (inner !== undefined)
      return describeIssue({ ...inner, path: [...below, ...inner.path] }, { value, path })
  }
  return [{ below, finding: valueFinding(issue, given, node), part: 'value' }]
}

function unknownKey(key: string, known: readonly string[]): Finding {
  const nearest = nearestName(key, known)
  const remedy =
    nearest === undefined
      ? `Remove it; known here are ${known.join(', ')}.`
      : `Did you mean ${nearest}?`
  return { message: 'no such setting', remedy }
}

/** The issue of the one choice that the value was meant for, by its type. */
function innerIssue(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  given: unknown,
): Issue | undefined {
  if (typeof given !== 'string' && !Array.isArray(given)) return undefined
  return issue.errors.flat().find((inner) => inner.path.length > 0 || inner.code === 'custom')
}

function valueFinding(issue: Issue, given: unknown, node: SchemaNode | undefined): Finding {
  const type = node === undefined ? 'text' : typeText(node)
  if (given === undefined) return { message: 'is missing', remedy: `Add it: ${type}.` }
  if (issue.code === 'custom') return customFinding(issue)
  if (issue.code === 'invalid_value' && typeof given === 'string') return unknownChoice(given, node)
  if (given === '') return { message: 'is empty', remedy: `Give it a value: ${type}.` }
  if (issue.code === 'invalid_type') {
    const isUnquoted = issue.expected === 'string' && typeof given !== 'object'
    const remedy = isUnquoted ? 'Put it in quotes.' : correction(node)
    return { message: `expected ${type}, found ${kindOf(given)}`, remedy }
  }
  return { message: `expected ${type}`, remedy: correction(node) }
}

function correction(node: SchemaNode | undefined): string {
  if (node?.default === undefined) return 'Correct it.'
  return `Correct it; the default is ${JSON.stringify(node.default)}.`
}

function unknownChoice(given: string, node: SchemaNode | undefined): Finding {
  const choices = node?.enum ?? []
  const nearest = nearestName(given, choices)
  const remedy = nearest === undefined ? `Use ${choices.join(' or ')}.` : `Did you mean ${nearest}?`
  return { message: `'${given}' is not one of its values`, remedy }
}

function customFinding(issue: Issue): Finding {
  const remedy: unknown = issue.code === 'custom' ? issue.params?.['remedy'] : undefined
  return { message: issue.message, remedy: typeof remedy === 'string' ? remedy : 'Correct it.' }
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'string') return 'text'
  return typeof value === 'number' ? 'a number' : 'true or false'
}
