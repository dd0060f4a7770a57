import type { SettingView } from '../admin/console/console-sources.ts'
import { valueAt } from '../catalog/documents/setting-path.ts'
import type { Config } from './config.ts'
import { settingPaths } from './sources/setting-paths.ts'

/** What is shown in place of a secret. */
const MASKED = '****'

/** Settings whose value is a secret, or may have one in it, such as the password of a URL. */
const SECRETS = /(?:^|\.)(?:logins|keys|token|password|url|urls|cluster|sentinels)$/

/** Settings that are read once, when the process starts. */
const FIXED = /^(?:listen|admin|catalog)\.|^limits\.login/

/** The groups that stand alone; the entries of lists and maps are shown as other things. */
const ENTRIES = /[[<]|^(?:servers|tenants|logins)$/

/** Every setting that stands alone, as it is in force, without secrets. */
export function settingViews(config: Config): readonly SettingView[] {
  return settingPaths()
    .filter(({ path }) => !ENTRIES.test(path))
    .map(({ path, default: standard }) => {
      const value = valueAt(config, path.split('.'))
      return {
        key: path,
        value: value === undefined ? undefined : shown(path, value),
        default: standard === undefined ? undefined : unquoted(standard),
        isReloadable: !FIXED.test(path),
      }
    })
}

function shown(path: string, value: unknown): string {
  if (SECRETS.test(path)) return isEmpty(value) ? '[]' : MASKED
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** Texts stand in quotes where they are shown as YAML. */
function unquoted(text: string): string {
  return text.replace(/^'(.*)'$/s, '$1')
}
