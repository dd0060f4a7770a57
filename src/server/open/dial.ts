import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { type DeadlineOptions, reasonOf, withDeadline } from '../../base/deadline.ts'
import { type ServerAddress, ServerUnreachableError } from '../server-errors.ts'

/** How long a silent connection stays before the system asks whether the server is still there. */
const KEEP_ALIVE_AFTER_MS = 60_000

/**
 * Where all server sockets read into. Each chunk is copied out before the next read, on whatever
 * socket, can begin: that is cheaper than the buffer that Node would make for every read.
 */
const readBuffer = Buffer.allocUnsafeSlow(65_536)

/**
 * Opens a bare connection: nothing is sent, nothing is read. The socket is not flowing and has no
 * listeners: the caller must attach its own at once.
 *
 * @throws ServerUnreachableError - refused, no such host, timed out or aborted.
 */
export function dial(target: ServerAddress, options: DeadlineOptions): Promise<Socket> {
  return withDeadline(options, (signal) => connectTo(target, signal))
}

async function connectTo(target: ServerAddress, signal: AbortSignal): Promise<Socket> {
  const socket = connect(connectOptions(target))
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    destroyQuietly(socket)
    const reason = reasonOf(signal.aborted ? signal.reason : error)
    throw new ServerUnreachableError(target, { reason, cause: error })
  }
}

function connectOptions({ host, port }: ServerAddress): NetConnectOpts {
  const onread = { buffer: readBuffer, callback: emitCopy }
  if (host.startsWith('/')) return { path: `${host}/.s.PGSQL.${port}`, onread }
  return {
    host,
    port,
    onread,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
  }
}

/** Ends a connection of which nobody wants to hear any more. */
export function destroyQuietly(socket: Socket): void {
  // An error that was on its way when the last listener left would end the process.
  socket.on('error', ignore)
  socket.destroy()
}

function emitCopy(this: Socket, bytes: number): boolean {
  this.emit('data', Buffer.from(readBuffer.subarray(0, bytes)))
  return true
}

function ignore(): void {}
