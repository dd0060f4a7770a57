import { withDeadline } from '../base/deadline.ts'
import { connectServer, type Endpoint } from '../server/open/connect-server.ts'
import { ServerUnreachableError } from '../server/server-errors.ts'
import { cancelRequest } from '../wire/frontend-messages.ts'
import type { CancelKey } from './cancel-keys.ts'

/** What a server told of one of its connections. */
export interface ServerCancelKey extends CancelKey {
  /** The request goes the way of the connection: it must not show the key where that did not. */
  readonly isEncrypted: boolean
}

/**
 * Sends a cancel request to a server over a connection of its own, and waits until the server
 * hangs up: by then the signal has reached the backend, and a later query can't be hit by it.
 *
 * @param options - `timeoutMs`: longest wait for the connection and for its end, each.
 * @throws ServerUnreachableError - the request did not get through, or nobody knows whether it did.
 * @throws ServerLoginError - the connection could not be encrypted as the other one was.
 */
export async function forwardCancel(
  endpoint: Endpoint,
  key: ServerCancelKey,
  options: { readonly timeoutMs: number },
): Promise<void> {
  const encryption = key.isEncrypted ? 'required' : 'none'
  const socket = await withDeadline(options, (signal) =>
    connectServer(endpoint, encryption, signal),
  )
  await new Promise<void>((resolve, reject) => {
    let hasEnded = false
    const fail = (reason: string) => {
      socket.destroy()
      reject(new ServerUnreachableError(endpoint, { reason }))
    }
    socket.setTimeout(options.timeoutMs, () => fail('no answer to a cancel request'))
    socket.on('end', () => {
      hasEnded = true
    })
    // Once the server has hung up, our own farewell by TLS may find nobody.
    socket.on('error', (error) => (hasEnded ? undefined : fail(error.message)))
    socket.on('close', () => resolve())
    socket.resume()
    // Not ended by us: bytes that the server leaves unread, as a farewell by TLS would be, make it
    // reset the connection, and then nobody knows what it has done.
    socket.write(cancelRequest(key.processId, key.secretKey))
  })
}
