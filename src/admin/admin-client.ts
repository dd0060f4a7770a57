import { type RequestOptions, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { AdminRequestError } from './admin-errors.ts'

/** Addresses that mean "all of this machine" to a server, and where to reach that. */
const LOOPBACKS: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** Where a proxy of this machine listens for operators. */
export interface AdminPlace {
  readonly host: string
  readonly port: number
}

/** What it answered. */
export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

/**
 * Sends a request that changes something to the admin port of a running proxy.
 *
 * @param path - Such as `/drain`.
 * @throws AdminRequestError - there is no answer before `signal` says so.
 */
export function postAdmin(
  place: AdminPlace & { readonly token: string },
  path: string,
  signal: AbortSignal,
): Promise<AdminAnswer> {
  const headers = { Authorization: `Bearer ${place.token}` }
  return ask(place, { method: 'POST', path, signal, headers })
}

/**
 * Looks at a page of the admin port of a running proxy.
 *
 * @param path - Such as `/readyz`.
 * @throws AdminRequestError - there is no answer before `signal` says so.
 */
export function getAdmin(
  place: AdminPlace,
  path: string,
  signal: AbortSignal,
): Promise<AdminAnswer> {
  return ask(place, { method: 'GET', path, signal })
}

async function ask(place: AdminPlace, options: RequestOptions): Promise<AdminAnswer> {
  const host = LOOPBACKS.get(place.host) ?? place.host
  const { port } = place
  try {
    return await send({ ...options, host, port })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AdminRequestError(`${host}:${port} does not answer: ${reason}`, { cause: error })
  }
}

function send(options: RequestOptions): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}
