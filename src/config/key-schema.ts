import { z } from 'zod'
import { problem } from '../catalog/documents/fields.ts'
import type { SettingPath } from '../catalog/documents/setting-path.ts'
import type { ProblemReport } from './problem-report.ts'

/**
 * A list of keys of 32 bytes, each with an id by which what it made names it.
 *
 * @param idMeaning - The description of the id.
 */
export function keyList(idMeaning: string) {
  const key = z.strictObject({
    id: z
      .string()
      .refine((text) => /^[A-Za-z0-9_-]{1,32}$/.test(text), {
        ...problem('is no id of a key', 'Use 1 to 32 letters, digits, _ and -.'),
      })
      .describe(idMeaning),
    key: z
      .string()
      .refine((text) => /^[A-Za-z0-9+/]{43}=$/.test(text), {
        ...problem('is no key', 'Give 32 random bytes in base64, as from openssl rand -base64 32.'),
      })
      .describe('32 random bytes in base64.'),
  })
  return z.array(key).default([])
}

/** Reports the keys at `path` whose id is that of another one. */
export function checkKeyIds(
  keys: readonly { readonly id: string }[],
  path: SettingPath,
  report: ProblemReport,
): void {
  for (const [index, { id }] of keys.entries()) {
    if (keys.findIndex((key) => key.id === id) === index) continue
    const message = `'${id}' is already a key`
    report.add([...path, index, 'id'], { message, remedy: 'Give each key its own id.' })
  }
}
