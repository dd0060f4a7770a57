import type { CatalogRow } from '../entry.ts'
import type { KeyRing, SealContext } from './key-ring.ts'

/** As much of a row as sealing concerns. */
export interface RowSecrets extends Pick<CatalogRow, 'name' | 'secrets' | 'secretsVersion'> {
  readonly kind: SealContext['kind']
}

/** New passwords by place; `undefined` for one that goes. */
export type PasswordChanges = Readonly<Record<string, string | undefined>>

/**
 * Seals the passwords of a row for its next version, all of them: each is bound to the version.
 *
 * @throws EnvelopeRefusedError - when one that stays does not open.
 */
export function resealSecrets(
  row: RowSecrets,
  ring: KeyRing,
  changes: PasswordChanges = {},
): Readonly<Record<string, string>> {
  const sealed: [place: string, envelope: string][] = []
  const add = (place: string, secret: string) =>
    sealed.push([place, ring.seal(secret, contextOf(row, place, row.secretsVersion + 1))])
  for (const [place, envelope] of Object.entries(row.secrets)) {
    if (Object.hasOwn(changes, place)) continue
    add(place, ring.open(envelope, contextOf(row, place, row.secretsVersion)))
  }
  for (const [place, secret] of Object.entries(changes)) {
    if (secret !== undefined) add(place, secret)
  }
  return Object.fromEntries(sealed)
}

function contextOf({ kind, name }: RowSecrets, place: string, version: number): SealContext {
  return { kind, name, place, version }
}
