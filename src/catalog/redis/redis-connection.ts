import { Redis } from 'ioredis'
import dataHandler from 'ioredis/built/DataHandler.js'
import type { ConnectionOptions } from './redis-options.ts'

/** The part of ioredis that takes replies apart, as far as we touch it. */
interface ReplyReader {
  returnFatalError(error: Error): void
}

/**
 * ioredis 6.0.0 throws a reply that it can't make sense of where nobody can catch it, such as a
 * null that was not asked for, and so ends the process. Here it ends the connection.
 */
Object.defineProperty(dataHandler.default.prototype, 'dispatch', {
  value(this: ReplyReader, takeReply: () => void): void {
    try {
      takeReply()
    } catch (cause) {
      this.returnFatalError(new Error('the reply makes no sense', { cause }))
    }
  },
})

/** A connection that is still to be made, once. Whatever ends it is told to `failed`. */
export function newConnection(options: ConnectionOptions, failed: (reason: Error) => void): Redis {
  const redis = new Redis(options)
  redis.on('error', failed)
  redis.on('end', () => failed(new Error('the connection was closed')))
  return redis
}
