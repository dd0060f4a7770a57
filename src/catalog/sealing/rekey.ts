import { type KeyRing, keyIdOf } from './key-ring.ts'
import { type RowSecrets, resealSecrets } from './reseal.ts'
import { EnvelopeRefusedError } from './sealing-errors.ts'
import type { SecretsChange, SecretsTable } from './secrets-table.ts'

/** How many rows came to what. */
export interface RekeyCounts {
  resealed: number
  /** Those that the first key had sealed already. */
  kept: number
  refused: number
}

export interface RekeyParts {
  readonly ring: KeyRing
  /** Told of each row that stays as it is because it does not open. */
  refused(error: EnvelopeRefusedError): void
}

/**
 * Seals with the first key of the ring what other keys sealed, and opens the rest as a proof that
 * it can be. Others may write at the same time; a run that was cut short is made good by the next.
 */
export async function rekey(table: SecretsTable, parts: RekeyParts): Promise<RekeyCounts> {
  const counts: RekeyCounts = { resealed: 0, kept: 0, refused: 0 }
  let page = await table.after('')
  while (page.length > 0) {
    await rekeyPage(page, { table, counts, ...parts })
    page = await table.after(page.at(-1)?.name ?? '')
  }
  return counts
}

interface RekeyRun extends RekeyParts {
  readonly table: SecretsTable
  readonly counts: RekeyCounts
}

/** Rows that somebody wrote in between are read again, until none is left. */
async function rekeyPage(page: readonly RowSecrets[], run: RekeyRun): Promise<void> {
  const { table, counts } = run
  let pending = page
  while (pending.length > 0) {
    const changes = pending.flatMap((row) => changeOf(row, run) ?? [])
    const written = await table.write(changes)
    counts.resealed += written.size
    const overtaken = changes.map(({ name }) => name).filter((name) => !written.has(name))
    pending = overtaken.length === 0 ? [] : await table.named(overtaken)
  }
}

function changeOf(row: RowSecrets, { ring, counts, refused }: RekeyRun): SecretsChange | undefined {
  try {
    const secrets = resealSecrets(row, ring)
    if (!isStale(row, ring)) {
      counts.kept += 1
      return undefined
    }
    return { name: row.name, secrets, secretsVersion: row.secretsVersion }
  } catch (error) {
    if (!(error instanceof EnvelopeRefusedError)) throw error
    counts.refused += 1
    refused(error)
    return undefined
  }
}

function isStale({ secrets }: RowSecrets, ring: KeyRing): boolean {
  return Object.values(secrets).some((envelope) => keyIdOf(envelope) !== ring.sealingKeyId)
}
