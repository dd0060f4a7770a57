import { RecordRefusedError } from '../catalog-errors.ts'
import type { CatalogRow } from '../entry.ts'
import type { KeyRing, SealContext } from './key-ring.ts'
import { exchangePasswords, type Settings } from './password-places.ts'

/** Which row secrets are sealed for. */
export type SealedRow = Omit<SealContext, 'place'>

/** As much of a row as its passwords need. */
export type SealableRow = Omit<CatalogRow, 'version'>

/** A row whose passwords are apart from its settings. */
export type SealedSettings = Pick<CatalogRow, 'settings' | 'secrets'>

/**
 * The settings of a row with its passwords in their places: to be kept in memory only. A URL that
 * is none stays as it is.
 *
 * @throws RecordRefusedError - when an envelope does not open or has no place in the settings, or
 *   when a password stands there in plain.
 */
export function openRow(row: SealableRow, kind: SealContext['kind'], ring: KeyRing): Settings {
  const { name, secretsVersion: version, settings, secrets } = row
  const opened = new Map<string, string>()
  for (const [place, envelope] of Object.entries(secrets)) {
    opened.set(place, ring.open(envelope, { kind, name, place, version }))
  }
  const unplaced = new Set(opened.keys())
  const complete = exchangePasswords(settings, kind, {
    exchange(place, plain) {
      if (plain !== undefined) throw plainPassword({ kind, name }, place)
      unplaced.delete(place)
      return opened.get(place)
    },
    skip(place) {
      unplaced.delete(place)
    },
  })
  for (const place of unplaced) {
    throw new RecordRefusedError(
      `${kind} ${name}: a password is sealed for ${place}, which is not there`,
    )
  }
  return complete
}

/**
 * Takes the passwords out of settings and seals them.
 *
 * @throws RecordRefusedError - when a place can't be read, so that a password may hide in it.
 */
export function sealRow(settings: Settings, row: SealedRow, ring: KeyRing): SealedSettings {
  const secrets: [place: string, envelope: string][] = []
  const stripped = exchangePasswords(settings, row.kind, {
    exchange(place, plain) {
      if (plain !== undefined) secrets.push([place, ring.seal(plain, { ...row, place })])
      return undefined
    },
    skip(place) {
      throw new RecordRefusedError(`${row.kind} ${row.name}: ${place} can not be read`)
    },
  })
  return { settings: stripped, secrets: Object.fromEntries(secrets) }
}

function plainPassword(
  { kind, name }: Pick<SealContext, 'kind' | 'name'>,
  place: string,
): RecordRefusedError {
  const remedy = 'seal it with pgusher catalog seal'
  return new RecordRefusedError(`${kind} ${name}: ${place} holds a plain password; ${remedy}`)
}
