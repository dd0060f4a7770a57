import type { Socket } from 'node:net'
import type { ProxyError } from '../base/proxy-error.ts'
import { endSocket } from '../server/end-socket.ts'
import { message } from '../wire/byte-writer.ts'
import { BackendCode } from '../wire/message-codes.ts'
import { errorAnswer } from './error-answer.ts'
import { ClientSettingError } from './session-errors.ts'

/** Longest time that a client is given to take its last word and to leave, in ms. */
const LINGER_MS = 2000
/** Most clients of the process that are given this time at once. */
const MAX_LINGERING = 1000

const lingering = new Set<Socket>()

/** The ErrorResponse that ends a session. */
function fatalResponse(error: ProxyError): Buffer {
  if (error instanceof ClientSettingError && error.serverReport !== undefined) {
    return message(BackendCode.errorResponse, error.serverReport)
  }
  return errorAnswer(error, 'FATAL')
}

/**
 * Ends a client's connection, with `error` as the last word. What was written before still goes
 * out, but a client that does not read is not waited for.
 */
export function endClient(socket: Socket, error: ProxyError | undefined): void {
  if (error !== undefined) socket.write(fatalResponse(error))
  if (error === undefined || lingering.size >= MAX_LINGERING) endSocket(socket)
  else linger(socket)
}

/**
 * What the client still sends is read and dropped until it closes its side: a socket that is closed
 * over unread bytes resets the connection, and the client's system then throws away the last word.
 */
function linger(socket: Socket): void {
  lingering.add(socket)
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  socket.once('close', () => {
    clearTimeout(timer)
    lingering.delete(socket)
  })
  socket.end()
  socket.resume()
}
