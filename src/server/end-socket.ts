import type { Socket } from 'node:net'

/** Longest time that the other side is given to take what was written last, in ms. */
const FAREWELL_MS = 5000

/**
 * Ends a connection once what was written has gone out. A side that does not read is not waited
 * for.
 */
export function endSocket(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
  socket.destroySoon()
}

/** Ends a connection likewise, and calls `gone` once the other side has let go of it too. */
export function awaitHangUp(socket: Socket, gone: () => void): void {
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS)
  timer.unref()
  socket.once('close', () => {
    clearTimeout(timer)
    gone()
  })
  socket.end()
  // What comes before its last word has to be read, or that is never seen.
  socket.resume()
}
