import { RecordRefusedError } from '../catalog-errors.ts'
import type { KeyRing } from './key-ring.ts'
import { resealSecrets } from './reseal.ts'
import { openRow } from './sealed-settings.ts'
import type { SecretsTable } from './secrets-table.ts'

/** A password of one row. */
export interface PasswordChange {
  readonly name: string
  readonly place: string
  /** `undefined`: it goes. */
  readonly secret: string | undefined
}

/**
 * Seals a password in its row, and the others of the row with it. Who changes the row meanwhile
 * loses nothing.
 *
 * @returns the row's new `secrets_version`.
 * @throws RecordRefusedError - when there is no such row or place, or another password of the row
 *   does not open.
 */
export async function changePassword(
  table: SecretsTable,
  { name, place, secret }: PasswordChange,
  ring: KeyRing,
): Promise<number> {
  for (;;) {
    const row = await table.row(name)
    if (row === undefined) throw new RecordRefusedError(`there is no ${table.kind} ${name}`)
    if (secret === undefined && !Object.hasOwn(row.secrets, place)) {
      throw new RecordRefusedError(`${table.kind} ${name}: no password is sealed for ${place}`)
    }
    const secrets = resealSecrets({ ...row, kind: table.kind }, ring, { [place]: secret })
    const secretsVersion = row.secretsVersion + 1
    // What a proxy would not take is not written.
    openRow({ ...row, secrets, secretsVersion }, table.kind, ring)
    const written = await table.write([{ ...row, secrets }])
    if (written.has(name)) return secretsVersion
  }
}
