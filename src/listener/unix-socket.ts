import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { ListenError } from './listener-errors.ts'

/** Where a unix socket is made. */
export interface SocketOptions {
  readonly path: string
  /** Who may use it, as a file mode. */
  readonly mode: number
  readonly backlog: number
}

/**
 * Has a server listen on a unix socket. One that a killed process left behind is replaced; one on
 * which somebody listens is not. It goes away when the server closes.
 *
 * @throws ListenError - the socket can't be made, or is in use.
 */
export async function listenOnSocket(server: Server, options: SocketOptions): Promise<void> {
  const { path, mode } = options
  try {
    await bind(server, options)
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    if (!isTaken || !(await isLeftBehind(path))) throw listenError(path, error)
    await replace(server, options)
  }
  await chmod(path, mode).catch((error: unknown) => {
    throw listenError(path, error)
  })
}

async function replace(server: Server, options: SocketOptions): Promise<void> {
  try {
    await unlink(options.path)
    await bind(server, options)
  } catch (error) {
    throw listenError(options.path, error)
  }
}

function bind(server: Server, { path, backlog }: SocketOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, backlog }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Whether it is a socket on which nobody listens. Plain files refuse connections just so. */
async function isLeftBehind(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSocket() !== true) return false
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

function listenError(path: string, error: unknown): ListenError {
  return new ListenError(path, error instanceof Error ? error : new Error(String(error)))
}
