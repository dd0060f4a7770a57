import type { StateKind } from './statement-effects.ts'

/** What a call of a function does to its session. */
export interface FunctionEffect {
  readonly makes?: StateKind
  readonly undoes?: StateKind
  /** The setting that it sets. */
  readonly setting?: string
}

const LOCKS: FunctionEffect = { makes: 'advisoryLock' }
const UNLOCKS: FunctionEffect = { undoes: 'advisoryLock' }
const RUNS_A_STRING: FunctionEffect = { makes: 'code' }
const STAYS: FunctionEffect = { makes: 'load' }

/** The function whose effect depends on its arguments. */
export const SET_CONFIG = 'set_config'

/** Functions other than set_config that leave something in their session. */
export const FUNCTION_EFFECTS: ReadonlyMap<string, FunctionEffect> = new Map([
  ['pg_advisory_lock', LOCKS],
  ['pg_advisory_lock_shared', LOCKS],
  ['pg_try_advisory_lock', LOCKS],
  ['pg_try_advisory_lock_shared', LOCKS],
  ['pg_advisory_unlock', UNLOCKS],
  ['pg_advisory_unlock_shared', UNLOCKS],
  ['pg_advisory_unlock_all', UNLOCKS],
  ['setseed', { makes: 'set', setting: 'seed' }],
  ['set_limit', { makes: 'set', setting: 'pg_trgm.similarity_threshold' }],
  ['query_to_xml', RUNS_A_STRING],
  ['query_to_xmlschema', RUNS_A_STRING],
  ['query_to_xml_and_xmlschema', RUNS_A_STRING],
  ['ts_stat', RUNS_A_STRING],
  ['ts_rewrite', RUNS_A_STRING],
  ['dblink_connect', STAYS],
  ['dblink_connect_u', STAYS],
  ['pg_replication_origin_session_setup', STAYS],
])

/** An UPDATE of this view runs set_config. */
export const SETTINGS_VIEW = 'pg_settings'

/** The alias of the session's temporary schema; its own name has a number behind it. */
export const TEMP_SCHEMA = 'pg_temp'

/** Names of settings that the server still takes for others. */
export const OLD_SETTING_NAMES: ReadonlyMap<string, string> = new Map([
  ['sort_mem', 'work_mem'],
  ['vacuum_mem', 'maintenance_work_mem'],
])
