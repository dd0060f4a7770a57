import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import type { Strategy } from '../../../src/tenancy/tenancy.ts'
import type { Pair } from './pair.ts'
import type { ProtocolName } from './protocols.ts'

/** One statement; `values` and `name` are for the extended protocol. */
export interface Statement {
  readonly text: string
  readonly values?: readonly string[]
  /** Prepares it under that name. */
  readonly name?: string
}

/** A kind of state that a session can leave behind. */
export interface StateKind {
  readonly name: string
  make(pair: Pair): readonly (string | Statement)[]
  /** In the first tenant's startup packet. */
  startup?(pair: Pair): Readonly<Record<string, string>>
  /** Its login is refused with 42501, at every level. */
  readonly isLoginRefused?: true
  /** @defaultValue all */
  readonly protocols?: readonly ProtocolName[]
  /** @defaultValue all */
  readonly strategies?: readonly Strategy[]
  /** Its statements may not stand in a transaction. */
  readonly isAlone?: true
  /** From this level on, the statements are refused with 42501. */
  readonly refusedFrom?: IsolationLevel
  /** From this level on, a server connection on which it came into force is never used again. */
  readonly destroyedFrom?: IsolationLevel
  /** Shows the session the other tenant's rows, up to the level before this one. */
  readonly reachesUntil?: IsolationLevel
  /** Nothing can undo it: the server connection is closed. */
  readonly isIndelible?: true
  /** It is there for a Bind that names no statement: the second tenant begins with one. */
  readonly isUnnamed?: true
  /** Takes back what it made outside of the session, as a superuser. */
  undo?(pair: Pair): string
}

/** Strategies whose tenants share a database. */
export const SHARED: readonly Strategy[] = ['schema', 'row']

export const BOUND: readonly ProtocolName[] = ['extended', 'pipelined']
