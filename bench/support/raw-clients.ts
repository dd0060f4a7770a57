import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { startupMessage } from '../../src/wire/frontend-messages.ts'

/** Logins under way at a time: fewer than fit in the queue of the listening socket. */
const BATCH = 50
/** ReadyForQuery, idle: the end of a login. */
const READY = Buffer.from('5a0000000549', 'hex')

/** Whom the clients log in as, without a password. */
export interface RawLogin {
  readonly port: number
  readonly user: string
  readonly database: string
}

/** Opens logged-in clients that hold a socket and nothing else. */
export async function openRawClients(login: RawLogin, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Math.min(BATCH, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openOne(login)))))
  }
  return sockets
}

async function openOne({ port, user, database }: RawLogin): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const startup: [string, string][] = [
    ['user', user],
    ['database', database],
  ]
  socket.write(startupMessage(startup))
  await new Promise<void>((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const received = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!bytes.subarray(-READY.length).equals(READY)) return
      socket.off('data', received)
      resolve()
    }
    socket.on('data', received)
    socket.once('close', () => reject(new Error(`refused: ${bytes.toString('latin1')}`)))
  })
  return socket
}
