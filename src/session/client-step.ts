import { requestReadiness } from './request-readiness.ts'
import type { OwnRequests, SwitchRequest } from './switch/own-requests.ts'

/**
 * What a client's bytes ask for first, while nothing of it runs.
 *
 * - `serve`: a server is to do it.
 * - `answer`: the proxy has answered it; `rest` came behind it.
 * - `switch`: another tenant; `rest` came behind it.
 * - `wait`: more has to come first; `held` is what has come of it.
 * - `leave`: the client goes, and waits for no answer.
 */
export type ClientStep =
  | { readonly kind: 'serve'; readonly bytes: Buffer }
  | { readonly kind: 'answer'; readonly reply: Buffer; readonly rest: Buffer }
  | { readonly kind: 'switch'; readonly request: SwitchRequest; readonly rest: Buffer }
  | { readonly kind: 'wait'; readonly held: Buffer | undefined }
  | { readonly kind: 'leave' }

const WAIT: ClientStep = { kind: 'wait', held: undefined }
const LEAVE: ClientStep = { kind: 'leave' }

/**
 * Of a client without a server connection.
 *
 * @param maxBytes - Most bytes of an unfinished request that are held.
 * @throws ProtocolViolationError - on what no client may send here.
 */
export function idleStep(bytes: Buffer, own: OwnRequests, maxBytes: number): ClientStep {
  const readiness = requestReadiness(bytes, maxBytes)
  if (readiness.kind === 'terminate') return LEAVE
  const request = readiness.from === 0 ? bytes : bytes.subarray(readiness.from)
  if (readiness.kind === 'ready') return wholeStep(request, own)
  return request.length === 0 ? WAIT : { kind: 'wait', held: request }
}

/** Of a client that keeps its server connection: what is meant for that need not be whole. */
export function keptStep(bytes: Buffer, own: OwnRequests): ClientStep {
  if (bytes.length === 0) return WAIT
  if (!own.isOther(bytes) && own.isUnfinished(bytes)) return { kind: 'wait', held: bytes }
  return wholeStep(bytes, own)
}

function wholeStep(bytes: Buffer, own: OwnRequests): ClientStep {
  if (own.isOther(bytes)) {
    own.passed()
    return { kind: 'serve', bytes }
  }
  const request = own.read(bytes)
  if (request === undefined) return { kind: 'serve', bytes }
  const rest = bytes.subarray(request.bytes)
  if (request.kind === 'switch') return { kind: 'switch', request, rest }
  return { kind: 'answer', reply: request.reply, rest }
}
