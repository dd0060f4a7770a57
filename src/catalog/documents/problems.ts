import type { SettingPath } from './setting-path.ts'

/** What is wrong, and what to do about it. */
export interface Finding {
  readonly message: string
  /** A sentence. */
  readonly remedy: string
}

/** What a finding is about: the name of a setting or what it is set to. */
export type SettingPart = 'key' | 'value'

/** Collects what is wrong with records, so that all of it is found in one go. */
export interface Problems {
  add(path: SettingPath, finding: Finding, part?: SettingPart): void
}
