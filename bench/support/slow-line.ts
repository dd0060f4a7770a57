import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP forwarder. */
export interface SlowLine {
  readonly port: number
  stop(): Promise<void>
}

/** Forwards to a port of this machine, and holds every chunk back for `delayMs` in each direction. */
export async function startSlowLine(targetPort: number, delayMs: number): Promise<SlowLine> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      // Timers of the same length fire in the order in which they were set.
      from.on('data', (chunk) => setTimeout(() => to.write(chunk), delayMs))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    port,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
