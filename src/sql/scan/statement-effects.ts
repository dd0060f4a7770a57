/** Kinds of session state that a text may make or undo. */
export type StateKind =
  /** A setting, by SET, RESET or set_config. */
  | 'set'
  | 'listen'
  /** A prepared statement, made by SQL. */
  | 'prepare'
  /** A relation, function or type in the session's temporary schema. */
  | 'temp'
  /** A cursor WITH HOLD. */
  | 'hold'
  /** An advisory lock of the session; those of a transaction are none. */
  | 'advisoryLock'
  /** Something in the server process that nothing undoes: a library, a dblink connection. */
  | 'load'
  /** Code that is not in sight: DO, CALL, functions that run a string. May make any state. */
  | 'code'

/** What a setting is set to. */
export type AssignedValue =
  /** The list behind SET, each entry as the server reads it. */
  | { readonly kind: 'names'; readonly names: readonly string[] }
  /** The argument of set_config. */
  | { readonly kind: 'text'; readonly text: string }
  /** `current`: FROM CURRENT. `unknown`: computed, bound, too long, or not in plain ASCII. */
  | { readonly kind: 'default' | 'current' | 'unknown' }

/** A setting that is set, also for the transaction or for the calls of a function. */
export interface Assignment {
  /** In lower case, old names mapped; `undefined` when it is none that stands in the text. */
  readonly name: string | undefined
  readonly value: AssignedValue
}

/** What a text of SQL may do to the state of its session, and what it means to set. */
export interface StatementEffects {
  readonly makes: ReadonlySet<StateKind>
  readonly undoes: ReadonlySet<StateKind>
  /** Settings that SET, RESET or set_config name literally, in lower case, each once. */
  readonly settings: readonly string[]
  /** A set_config whose name is no plain literal, or code that may set anything. */
  readonly mayTouchAnySetting: boolean
  /** Names of RESET x and SET x TO DEFAULT; `'all'` for RESET ALL and DISCARD ALL. */
  readonly resets: readonly string[] | 'all'
  /** Names of DEALLOCATE as the server reads them; `'all'` for DEALLOCATE ALL and DISCARD ALL. */
  readonly deallocates: readonly string[] | 'all'
  /** Names of EXECUTE. What they do was told by the text that prepared them. */
  readonly executes: readonly string[]
  /** Whether every effect is a SET or RESET of a named setting, so that `settings` tell all. */
  readonly isOnlySettings: boolean
  /** Sets, resets or shows the setting that names the session's tenant, which no server knows. */
  readonly namesTenant: boolean
  /**
   * Of SET and RESET of a setting, set_config, UPDATE pg_settings, and the SET clauses of functions,
   * in their order. RESET ALL and DISCARD ALL have none.
   */
  readonly assignments: readonly Assignment[]
  /** ALTER ROLE, USER, GROUP, DATABASE or SYSTEM: changes what others share. */
  readonly altersShared: boolean
  /** An identifier is written so that it can't be read. */
  readonly hidesNames: boolean
  /** Whether anything but `namesTenant` and what stands below it may be left behind. */
  readonly isLasting: boolean
}

/** What the meaning of bytes depends on. */
export interface SqlDialect {
  /** `standard_conforming_strings` is off: a backslash escapes in every `'…'`. */
  readonly backslashEscapes: boolean
  /**
   * The `client_encoding` has characters with bytes below 0x80 inside: SJIS, SHIFT_JIS_2004, BIG5,
   * GBK, UHC, GB18030, JOHAB.
   */
  readonly hasUnsafeBytes: boolean
}

/** Where a text of SQL stands: bytes from `start` to before `end`, without a NUL. */
export interface SqlText {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}
