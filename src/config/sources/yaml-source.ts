import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import type { SettingPart } from '../../catalog/documents/problems.ts'
import { formatPath, type SettingPath } from '../../catalog/documents/setting-path.ts'
import type { ConfigProblem } from '../config-errors.ts'
import type { ReferenceResolver } from './references.ts'

/** Counted from 1. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

/** A YAML text as plain values, its references resolved, which still knows where each stood. */
export interface YamlSource {
  /** An empty map for an empty text. Keys without a value are left out: they are not given. */
  readonly value: unknown
  /** Of the YAML itself and of its references. */
  readonly problems: readonly ConfigProblem[]
  /** Position of a setting, or of the nearest thing around it that the text holds. */
  locate(path: SettingPath, part: SettingPart): TextPosition
  /** Whether the setting's value came out of a reference, and so is text whatever it says. */
  isReferenced(path: SettingPath): boolean
}

type YamlDocument = ReturnType<typeof parseDocument>

type Report = (
  offset: number,
  problem: { readonly path?: string; readonly message: string; readonly remedy: string },
) => void

interface Found {
  readonly node: Node | undefined
  readonly offset: number
}

/** @param name - The file, or the environment variable, that problems are to name. */
export function readYaml(text: string, name: string, resolve: ReferenceResolver): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const positionOf = (offset: number): TextPosition => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const problems: ConfigProblem[] = []
  const report: Report = (offset, { path = '', message, remedy }) => {
    problems.push({ source: name, ...positionOf(offset), path, message, remedy })
  }
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    const remedy = 'Correct it; a text with * { : or # needs quotes.'
    report(pos[0], { message: `not YAML: ${message}`, remedy })
  }
  const isSound = problems.length === 0
  const referenced = isSound ? resolveScalars(document, resolve, report) : new Set<unknown>()
  return {
    value: isSound ? toValue(document, report) : {},
    problems,
    locate: (path, part) => positionOf(find(document, path, part).offset),
    isReferenced: (path) => referenced.has(find(document, path, 'value').node),
  }
}

/** Puts the resolved texts into the document, and answers which scalars held a reference. */
function resolveScalars(
  document: YamlDocument,
  resolve: ReferenceResolver,
  report: Report,
): Set<unknown> {
  const referenced = new Set<unknown>()
  visit(document, {
    Pair(_, { key, value }, ancestors) {
      if (!isScalar(key) || key.value === '__proto__') {
        const path = formatPath(pathOf(ancestors))
        report(offsetOf(key), { path, message: 'has a key that is no name', remedy: 'Remove it.' })
        return visit.REMOVE
      }
      const isGiven = isScalar(value) ? value.value !== null : value !== null
      return isGiven ? undefined : visit.REMOVE
    },
    Scalar(key, scalar, ancestors) {
      if (key === 'key' || typeof scalar.value !== 'string') return
      const resolved = resolve(scalar.value)
      if (resolved.kind === 'missing') {
        const path = formatPath(pathOf([...ancestors, scalar]))
        report(offsetOf(scalar), { path, message: resolved.message, remedy: resolved.remedy })
      } else if (resolved.isChanged) {
        scalar.value = resolved.text
        referenced.add(scalar)
      }
    },
  })
  return referenced
}

/** The path that leads down a chain of nodes, each the parent of the next. */
function pathOf(chain: readonly unknown[]): SettingPath {
  const path: (string | number)[] = []
  for (const [index, node] of chain.entries()) {
    if (isPair(node) && isScalar(node.key)) path.push(String(node.key.value))
    if (isSeq(node)) path.push(node.items.indexOf(chain[index + 1]))
  }
  return path
}

function toValue(document: YamlDocument, report: Report): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    const remedy = 'Write the values out instead of using *alias.'
    report(0, { message: 'aliases stand for too much text', remedy })
    return {}
  }
}

function find(document: YamlDocument, path: SettingPath, part: SettingPart): Found {
  let found: Found = { node: document.contents ?? undefined, offset: 0 }
  for (const [index, step] of path.entries()) {
    const isLast = index === path.length - 1
    const node = isAlias(found.node) ? found.node.resolve(document) : found.node
    const next = stepInto(node, step, isLast ? part : 'value')
    if (next === undefined) return found
    found = next
  }
  return found
}

function stepInto(
  node: Node | undefined,
  step: string | number,
  part: SettingPart,
): Found | undefined {
  if (isSeq<Node>(node)) return foundAt(node.items[Number(step)])
  if (!isMap<Node, Node | null>(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
  if (pair === undefined) return undefined
  return foundAt(part === 'key' ? pair.key : (pair.value ?? pair.key))
}

function foundAt(node: Node | undefined): Found | undefined {
  return node === undefined ? undefined : { node, offset: offsetOf(node) }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}
