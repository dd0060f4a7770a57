import { z } from 'zod'
import type { SettingPath } from '../../catalog/documents/setting-path.ts'
import { configSchema } from '../config-schema.ts'

/** One setting, as `docs/config.md` and the environment know it. */
export interface SettingRow {
  /** Such as `pool.size`; entries of lists and maps as `tenants[].name` and `servers.<name>.url`. */
  readonly path: string
  /** `undefined` inside lists and maps, which the environment sets as a whole. */
  readonly variable: string | undefined
  readonly type: string
  /** As it is written in YAML; `undefined` when there is none: the setting is needed, or optional. */
  readonly default: string | undefined
  readonly description: string
}

/** The part of JSON Schema that zod draws our settings in. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode | false
  readonly anyOf?: readonly SchemaNode[]
  readonly enum?: readonly string[]
  readonly const?: string | boolean
  readonly default?: unknown
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
}

const rootNode = z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode
const rows = rowsBelow(rootNode, [])

/** Every setting with its environment variable, type, default and meaning, in schema order. */
export function settingPaths(): readonly SettingRow[] {
  return rows
}

/** What the schema says about a setting; `undefined` for one that it doesn't know. */
export function schemaAt(path: SettingPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = rootNode
  for (const step of path) {
    if (node === undefined) return undefined
    const isList: boolean = node.anyOf !== undefined
    if (isList) node = node.anyOf?.find((choice) => choice.type === 'array')
    node = typeof step === 'number' ? node?.items : (node?.properties?.[step] ?? openNode(node))
  }
  return node
}

/** The type of a setting in words: `whole number, 1 to 65535`. */
export function typeText(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(typeText).join(' or ')
  if (node.enum !== undefined) return node.enum.join(' or ')
  if (node.const !== undefined)
    return typeof node.const === 'string' ? `'${node.const}'` : `${node.const}`
  if (typeof node.type === 'object') return node.type.map((type) => typeText({ type })).join(' or ')
  switch (node.type) {
    case 'integer':
      return `whole number from ${node.minimum} to ${node.maximum}`
    case 'number':
      return rangeText(node)
    case 'boolean':
      return 'true or false'
    case 'array':
      return node.items?.type === 'object' ? 'list' : 'list of texts'
    case 'object':
      return 'map'
    default:
      return 'text'
  }
}

/** `timeouts.idleClientMs` → `PGUSHER_TIMEOUTS_IDLE_CLIENT_MS`. */
function variableName(path: SettingPath): string {
  const words = path.map((step) => String(step).replaceAll(/[A-Z]/g, (letter) => `_${letter}`))
  return `PGUSHER_${words.join('_').toUpperCase()}`
}

function rangeText({ minimum, maximum }: SchemaNode): string {
  return minimum === undefined ? 'number' : `number from ${minimum} to ${maximum}`
}

function openNode(node: SchemaNode | undefined): SchemaNode | undefined {
  return node?.additionalProperties === false ? undefined : node?.additionalProperties
}

function rowsBelow(node: SchemaNode, path: readonly string[]): SettingRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const childPath = [...path, key]
    if (child.properties !== undefined) return rowsBelow(child, childPath)
    const open = openNode(child)
    const entries = child.items?.properties
      ? rowsBelow(child.items, [...path, `${key}[]`])
      : rowsBelow(open ?? {}, [...childPath, '<name>'])
    return [rowOf(child, childPath), ...entries]
  })
}

function rowOf(node: SchemaNode, path: readonly string[]): SettingRow {
  const text = path.join('.')
  return {
    path: text,
    variable: /[[<]/.test(text) ? undefined : variableName(path),
    type: typeText(node),
    default: node.default === undefined ? undefined : defaultText(node.default),
    description: node.description ?? '',
  }
}

function defaultText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  return /^[\w.-]+$/.test(value) ? value : `'${value}'`
}
