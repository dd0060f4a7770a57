/** Where a setting stands: keys of maps and indexes of lists, from the root. */
export type SettingPath = readonly (string | number)[]

/** The path as people write it: `tenants[2].strategy`. */
export function formatPath(path: SettingPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/** The value at a path; `undefined` when there is none. */
export function valueAt(root: unknown, path: SettingPath): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}
