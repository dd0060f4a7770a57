import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

/**
 * One step of a scripted server: wait for a message, send bytes, or end the connection.
 * `expect` names the message's type byte, or `startup` for the packet that has none.
 * After the last step the server stays connected and silent.
 */
export type ScriptStep =
  | { readonly expect: string }
  | { readonly send: Buffer | ((lastBody: Buffer) => Buffer) }
  | { readonly close: 'end' | 'reset' }

/** A server on loopback that plays one script to every client. */
export interface ScriptedServer {
  readonly host: string
  readonly port: number
  /** Bodies of the messages that were expected and came, of all clients. */
  readonly received: readonly Buffer[]
  /** Resolves when the first message that a script expected has come. */
  readonly firstMessage: Promise<void>
  /** Resolves when the first client's connection has ended. */
  readonly clientGone: Promise<void>
  /** Ends all connections, and rejects if a script failed. */
  stop(): Promise<void>
}

/** @param tls - Certificate and key of a server that begins every connection with TLS. */
export async function startScriptedServer(
  steps: readonly ScriptStep[],
  tls?: { readonly cert: string; readonly key: string },
): Promise<ScriptedServer> {
  const received: Buffer[] = []
  const { promise: firstMessage, resolve: noteMessage } = deferred()
  const note = (body: Buffer) => {
    received.push(body)
    noteMessage()
  }
  const sockets: Socket[] = []
  const failures: unknown[] = []
  const { promise: clientGone, resolve: noteGone } = deferred()
  const serve = (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('close', noteGone)
    play(socket, steps, note).catch((error) => failures.push(error))
  }
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
    if (failures.length > 0) throw failures[0]
  }
  return { host: '127.0.0.1', port, received, firstMessage, clientGone, stop }
}

async function play(
  socket: Socket,
  steps: readonly ScriptStep[],
  note: (body: Buffer) => void,
): Promise<void> {
  const nextBody = bodyReader(socket)
  let lastBody: Buffer = Buffer.alloc(0)
  for (const step of steps) {
    if ('expect' in step) {
      lastBody = await nextBody(step.expect)
      note(lastBody)
    } else if ('send' in step) {
      socket.write(typeof step.send === 'function' ? step.send(lastBody) : step.send)
    } else if (step.close === 'end') {
      socket.end()
    } else {
      socket.resetAndDestroy()
    }
  }
}

/** Kept apart from the code under test, so that both can't share a mistake. */
function bodyReader(socket: Socket): (type: string) => Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0)
  let wake = () => {}
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  return async (type) => {
    const headBytes = type === 'startup' ? 0 : 1
    while (
      bytes.length < headBytes + 4 ||
      bytes.length < headBytes + bytes.readInt32BE(headBytes)
    ) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const end = headBytes + bytes.readInt32BE(headBytes)
    if (headBytes === 1 && bytes.toString('latin1', 0, 1) !== type) {
      throw new Error(`expected ${type}, got ${bytes.toString('latin1', 0, 1)}`)
    }
    const body = bytes.subarray(headBytes + 4, end)
    bytes = bytes.subarray(end)
    return body
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
