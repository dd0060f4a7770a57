import { RecordRefusedError } from '../catalog-errors.ts'
import type { SealContext } from './key-ring.ts'

/**
 * Why an envelope does not open. `foreign`: it was changed, or sealed for another record, place
 * or version, or with another key of the same id.
 */
export type EnvelopeFault = 'malformed' | 'unknownKey' | 'foreign'

/** A sealed password can't be opened, so its record is of no use. */
export class EnvelopeRefusedError extends RecordRefusedError {
  readonly fault: EnvelopeFault

  constructor(fault: EnvelopeFault, { kind, name, place, version }: SealContext) {
    super(`${kind} ${name}: the envelope of ${place} ${WORDS[fault]} (version ${version})`)
    this.fault = fault
  }
}

const WORDS: Readonly<Record<EnvelopeFault, string>> = {
  malformed: 'is malformed',
  unknownKey: 'was sealed with a key that is not in catalog.keys',
  foreign: 'was changed, or sealed for another record, place or version',
}
