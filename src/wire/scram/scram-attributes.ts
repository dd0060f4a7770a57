import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { ProtocolViolationError } from '../wire-errors.ts'
import { decodeBase64 } from './scram.ts'

const NONCE_BYTES = 18
/** Printable ASCII without the comma. */
const NONCE = /^[\x21-\x2b\x2d-\x7e]+$/
const ATTRIBUTE = /^[A-Za-z]=/

/** Letter and value of one attribute, such as `r=` and a nonce. */
export interface ScramAttribute {
  readonly letter: string
  readonly value: string
}

export function scramNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}

/** @throws ProtocolViolationError - when the message is not UTF-8, or holds a NUL. */
export function scramText(bytes: Buffer): string {
  if (!isUtf8(bytes) || bytes.includes(0)) throw malformedScram()
  return bytes.toString('utf8')
}

/** @throws ProtocolViolationError - when a part between commas is no attribute. */
export function scramAttributes(text: string): readonly ScramAttribute[] {
  return text.split(',').map((part) => {
    if (!ATTRIBUTE.test(part)) throw malformedScram()
    return { letter: part.slice(0, 1), value: part.slice(2) }
  })
}

/**
 * The value of an attribute that must stand where it stands.
 *
 * @throws ProtocolViolationError - when there is another, or none.
 */
export function expectScram(attribute: ScramAttribute | undefined, letter: string): string {
  if (attribute?.letter !== letter) throw malformedScram()
  return attribute.value
}

/** @throws ProtocolViolationError - when the nonce is empty, or not of printable ASCII. */
export function expectNonce(attribute: ScramAttribute | undefined): string {
  const nonce = expectScram(attribute, 'r')
  if (!NONCE.test(nonce)) throw malformedScram()
  return nonce
}

/** @throws ProtocolViolationError - when the value is not base64 of at least one byte. */
export function expectBase64(attribute: ScramAttribute | undefined, letter: string): Buffer {
  const bytes = decodeBase64(expectScram(attribute, letter))
  if (bytes === undefined) throw malformedScram()
  return bytes
}

export function malformedScram(): ProtocolViolationError {
  return new ProtocolViolationError('malformed SCRAM message')
}
