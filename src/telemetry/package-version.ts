import { existsSync, readFileSync } from 'node:fs'

/** The version of the `package.json` that this file belongs to; `unknown` when there is none. */
export function packageVersion(): string {
  let folder = new URL('.', import.meta.url)
  let file = new URL('package.json', folder)
  // Compiled code lies deeper than its source, so the way up is not of one length.
  while (!existsSync(file) && folder.pathname !== '/') {
    folder = new URL('..', folder)
    file = new URL('package.json', folder)
  }
  if (!existsSync(file)) return 'unknown'
  const { version }: { readonly version?: string } = JSON.parse(readFileSync(file, 'utf8'))
  return version ?? 'unknown'
}
