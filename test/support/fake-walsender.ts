import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { frame, int16, int32 } from './raw-client.ts'

/** A server that lets everybody in, and then says only what a test has it say. */
export interface FakeWalsender {
  readonly url: string
  /** The first connection, once it is logged in. Paused: what the client sends is not read. */
  readonly connection: Promise<Socket>
  stop(): Promise<void>
}

/** The answer to START_REPLICATION: CopyBothResponse, text, no columns. */
export const COPY_BOTH: Buffer = frame('W', Buffer.of(0), int16(0))

const WELCOME = Buffer.concat([
  frame('R', int32(0)),
  frame('K', int32(4711), int32(1)),
  frame('Z', Buffer.from('I')),
])

export async function startFakeWalsender(): Promise<FakeWalsender> {
  const server = createServer()
  const sockets: Socket[] = []
  const connection = new Promise<Socket>((resolve) => {
    server.on('connection', (socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.pause()
        socket.write(WELCOME, () => resolve(socket))
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `postgresql://nobody@127.0.0.1:${port}/none?sslmode=disable`,
    connection,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
