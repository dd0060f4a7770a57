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

/** What a text of SQL may do to the state of its session, beyond its transaction. */
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
