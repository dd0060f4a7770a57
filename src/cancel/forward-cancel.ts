import { dial } from '../server/dial.ts'
import { type ServerAddress, ServerUnreachableError } from '../server/server-errors.ts'
import { cancelRequest } from '../wire/frontend-messages.ts'
import type { CancelKey } from './cancel-keys.ts'

/**
 * Sends a cancel request to a server over a connection of its own, and waits until the server
 * hangs up: by then the signal has reached the backend, and a later query can't be hit by it.
 *
 * @param options - `timeoutMs`: longest wait for the connection and for its end, each.
 * @throws ServerUnreachableError - the request did not get through, or nobody knows whether it did.
 */
export async function forwardCancel(
  address: ServerAddress,
  key: CancelKey,
  options: { readonly timeoutMs: number },
): Promise<void> {
  const socket = await dial(address, options)
  await new Promise<void>((resolve, reject) => {
    const fail = (reason: string) => {
      socket.destroy()
      reject(new ServerUnreachableError(address, { reason }))
    }
    socket.setTimeout(options.timeoutMs, () => fail('no answer to a cancel request'))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => resolve())
    socket.resume()
    socket.end(cancelRequest(key.processId, key.secretKey))
  })
}
