import { quoteLiteral } from '../sql/quote.ts'
import type { StateKind } from '../sql/scan/statement-effects.ts'
import { ByteReader } from '../wire/byte-reader.ts'

/** Session state that a server can be asked about; a loaded library or a random seed can't be. */
export type AskableKind = Exclude<StateKind, 'set' | 'load' | 'code'>

/** What is to be asked of a server about the session on it. */
export interface FactsWanted {
  readonly kinds: ReadonlySet<AskableKind>
  /** Names in lower case; `'all'` asks for every setting that was set in the session. */
  readonly settings: readonly string[] | 'all'
  /** Settings with a prefix of their own, of which the server keeps no list. */
  readonly customSettings: readonly string[]
  /** Of a link, see `Link.proof`. */
  readonly proof?: string | undefined
}

/** What a server says of the session on it. */
export interface SessionFacts {
  /** Kinds of which there is something. */
  readonly kinds: ReadonlySet<AskableKind>
  /** Settings that have a value of the session, by name in lower case. */
  readonly settings: ReadonlyMap<string, string>
  /** What the proof that was asked for says against the link; `undefined` for nothing. */
  readonly refutation: string | undefined
}

/** Asks whether there is any; each is one row or none. */
const KIND_QUERIES: Readonly<Record<AskableKind, string>> = {
  listen: 'FROM pg_catalog.pg_listening_channels()',
  prepare: 'FROM pg_catalog.pg_prepared_statements WHERE from_sql',
  hold: 'FROM pg_catalog.pg_cursors WHERE is_holdable',
  // Relations, functions, types: whatever stands in a schema depends on it, which has an index.
  temp: `FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()`,
  advisoryLock: `FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()`,
}

/**
 * A query for the facts. Everything in it is qualified: the client may have put functions and
 * operators of its own in the search path.
 */
export function factsQuery(wanted: FactsWanted): string {
  const parts = [...wanted.kinds].map(
    (kind) =>
      `(SELECT ${quoteLiteral('kind')}, ${quoteLiteral(kind)}, ''::pg_catalog.text ${KIND_QUERIES[kind]} LIMIT 1)`,
  )
  if (wanted.settings === 'all' || wanted.settings.length > 0) {
    parts.push(settingsPart(wanted.settings))
  }
  for (const name of wanted.customSettings) {
    const value = `pg_catalog.current_setting(${quoteLiteral(name)}, true)`
    const isListed = `EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) OPERATOR(pg_catalog.=) ${quoteLiteral(name)})`
    parts.push(
      `(SELECT ${quoteLiteral('custom')}, ${quoteLiteral(name)}, ${value} WHERE NOT ${isListed})`,
    )
  }
  if (wanted.proof !== undefined) {
    parts.push(
      `(SELECT ${quoteLiteral('proof')}, '', proof FROM (SELECT ${wanted.proof} AS proof) AS asked WHERE proof IS NOT NULL)`,
    )
  }
  return parts.join(' UNION ALL ')
}

function settingsPart(names: readonly string[] | 'all'): string {
  const lower = 'pg_catalog.lower(name)'
  const isNamed =
    names === 'all'
      ? ''
      : ` AND ${lower} OPERATOR(pg_catalog.=) ANY (ARRAY[${names.map(quoteLiteral).join(', ')}]::pg_catalog.text[])`
  return `(SELECT ${quoteLiteral('setting')}, ${lower}, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'${isNamed})`
}

/** Gathers the rows of a facts query. */
export class FactsReader {
  readonly #kinds = new Set<AskableKind>()
  readonly #settings = new Map<string, string>()
  #refutation: string | undefined

  get facts(): SessionFacts {
    const refutation = this.#refutation
    return { kinds: this.#kinds, settings: this.#settings, refutation }
  }

  /**
   * @param body - Of a DataRow.
   * @throws ProtocolViolationError - it has not the three columns that were asked for.
   */
  take(body: Buffer): void {
    const [source, name = '', value = ''] = readColumns(body)
    if (source === 'proof') this.#refutation = value
    else if (source === 'kind') this.#kinds.add(name as AskableKind)
    else if (source === 'setting') this.#settings.set(name, value)
    // A custom setting that was never set, or was reset, is NULL or empty.
    else if (value !== '') this.#settings.set(name, value)
  }
}

/** The values of a DataRow, NULL as `undefined`. */
export function readColumns(body: Buffer): readonly (string | undefined)[] {
  const reader = new ByteReader(body, 'DataRow')
  return Array.from({ length: reader.bytes(2).readUInt16BE() }, () => readColumn(reader))
}

function readColumn(reader: ByteReader): string | undefined {
  const bytes = reader.int32()
  return bytes < 0 ? undefined : reader.bytes(bytes).toString('utf8')
}
