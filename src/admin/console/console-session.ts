import type { Socket } from 'node:net'
import type { ProxyError } from '../../base/proxy-error.ts'
import type { CancelTarget } from '../../cancel/cancel-keys.ts'
import { endClient } from '../../session/end-client.ts'
import { errorAnswer } from '../../session/error-answer.ts'
import { ClientGoneError, foreseen } from '../../session/session-errors.ts'
import { readyForQuery } from '../../wire/backend-messages.ts'
import { readQuery } from '../../wire/extended-messages.ts'
import { MessageBuffer, type WireMessage } from '../../wire/message-buffer.ts'
import { FrontendCode } from '../../wire/message-codes.ts'
import { emptyQueryResponse } from '../../wire/result-messages.ts'
import { ProtocolViolationError } from '../../wire/wire-errors.ts'
import type { Answer, CommandContext } from './commands/command.ts'
import { type ReadCommand, readCommand } from './commands/command-table.ts'
import { ConsoleCanceledError, ConsoleUnsupportedError } from './console-errors.ts'
import { readStatements } from './language/statements.ts'
import { AnswerWriter } from './protocol/answer-writer.ts'
import { noticeOf, portalReplies, simpleReplies } from './protocol/command-replies.ts'
import { type Portal, PreparedCommands } from './protocol/prepared-commands.ts'
import { type Commander, runCommand } from './run-command.ts'

/** Longest message of an operator, and most bytes that are read ahead of an answer. */
const MAX_MESSAGE_BYTES = 65_536

/** Messages that a client may send at the wrong moment, and that Postgres passes over then. */
const PASSED_OVER: ReadonlySet<number> = new Set([
  FrontendCode.copyData,
  FrontendCode.copyDone,
  FrontendCode.copyFail,
  FrontendCode.flush,
])

/** What a connection of an operator works with. */
export interface ConsoleSessionParts {
  readonly commander: Commander
  readonly context: Omit<CommandContext, 'signal'>
}

/**
 * One operator's connection: takes a message, answers it, takes the next. It holds no server
 * connection and belongs to no tenant.
 */
export class ConsoleSession implements CancelTarget {
  readonly #socket: Socket
  readonly #parts: ConsoleSessionParts
  readonly #writer: AnswerWriter
  readonly #messages = new MessageBuffer(MAX_MESSAGE_BYTES)
  readonly #prepared = new PreparedCommands()
  #unreadBytes = 0
  #isServing = false
  /** After an error in the extended protocol, all up to the next Sync is dropped. */
  #isSkipping = false
  #running: AbortController | undefined

  constructor(socket: Socket, parts: ConsoleSessionParts) {
    this.#socket = socket
    this.#parts = parts
    this.#writer = new AnswerWriter(socket)
  }

  /** @param rest - Bytes that came behind the login. */
  start(rest: Buffer): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('end', () => this.#gone())
    socket.on('close', () => this.#gone())
    if (rest.length > 0) this.#received(rest)
    socket.resume()
  }

  /** Ends the command that is running, if it waits for something. */
  async cancel(): Promise<void> {
    this.#running?.abort(new ConsoleCanceledError())
  }

  /** Ends the connection, with `error` as the last word. */
  end(error: ProxyError | undefined): void {
    this.#running?.abort(new ClientGoneError())
    if (!this.#socket.writableEnded && !this.#socket.destroyed) endClient(this.#socket, error)
  }

  /** Read on while a command waits, so that an operator who leaves is noticed; but not without end. */
  #received(chunk: Buffer): void {
    if (this.#socket.writableEnded) return
    this.#messages.push(chunk)
    this.#unreadBytes += chunk.length
    if (this.#unreadBytes >= MAX_MESSAGE_BYTES) this.#socket.pause()
    if (!this.#isServing) void this.#serve()
  }

  /** Never rejects. */
  async #serve(): Promise<void> {
    this.#isServing = true
    try {
      for (let message = this.#next(); message !== undefined; message = this.#next()) {
        if (message.code === FrontendCode.terminate) {
          this.end(undefined)
          return
        }
        await this.#answer(message)
      }
    } catch (thrown) {
      this.#failed(thrown)
    } finally {
      this.#isServing = false
    }
  }

  #next(): WireMessage | undefined {
    if (this.#socket.writableEnded) return undefined
    const message = this.#messages.next()
    if (message === undefined) {
      this.#socket.resume()
      return undefined
    }
    this.#unreadBytes -= message.body.length + 5
    return message
  }

  async #answer(message: WireMessage): Promise<void> {
    const { code } = message
    if (code === FrontendCode.sync) {
      this.#isSkipping = false
      this.#prepared.sync()
      await this.#writer.write(readyForQuery('I'))
      return
    }
    if (this.#isSkipping || PASSED_OVER.has(code)) return
    const isExtended = code !== FrontendCode.query && code !== FrontendCode.functionCall
    try {
      if (isExtended) await this.#extended(message)
      else await this.#simple(message)
    } catch (thrown) {
      const error = foreseen(thrown)
      // A message that makes no sense leaves no way to know where the next one begins to.
      if (error instanceof ProtocolViolationError || error instanceof ClientGoneError) throw error
      this.#log(error)
      await this.#writer.write(errorAnswer(error, 'ERROR'))
      this.#isSkipping = isExtended
    }
    if (!isExtended) await this.#writer.write(readyForQuery('I'))
  }

  async #simple({ code, body }: WireMessage): Promise<void> {
    if (code === FrontendCode.functionCall) throw new ConsoleUnsupportedError('function calls')
    this.#prepared.dropUnnamed()
    // All are read before the first is run: a slip in the last one leaves nothing half done.
    const commands = readStatements(readQuery(body)).map(readCommand)
    if (commands.length === 0) await this.#writer.write(emptyQueryResponse())
    for (const read of commands) {
      await this.#writer.writeAll(simpleReplies(read, await this.#run(read)))
    }
  }

  async #extended({ code, body }: WireMessage): Promise<void> {
    const prepared = this.#prepared
    switch (code) {
      case FrontendCode.parse:
        return this.#writer.write(prepared.parse(body))
      case FrontendCode.bind:
        return this.#writer.write(prepared.bind(body))
      case FrontendCode.describe:
        return this.#writer.write(prepared.describe(body))
      case FrontendCode.close:
        return this.#writer.write(prepared.close(body))
      case FrontendCode.execute: {
        const { portal, maxRows } = prepared.executed(body)
        return this.#execute(portal, maxRows)
      }
      default:
        throw new ProtocolViolationError('invalid type of message')
    }
  }

  /** The command is run once, however often its rows are fetched. */
  async #execute(portal: Portal, maxRows: number): Promise<void> {
    if (portal.read === undefined) return this.#writer.write(emptyQueryResponse())
    if (portal.rows === undefined) {
      const answer = await this.#run(portal.read)
      await this.#writer.writeAll(noticeOf(answer))
      portal.rows = answer.rows ?? []
    }
    const all = portal.rows
    const count = maxRows === 0 ? all.length : Math.min(maxRows, all.length)
    portal.rows = all.slice(count)
    const isSuspended = portal.rows.length > 0
    await this.#writer.writeAll(portalReplies(portal, all.slice(0, count), isSuspended))
  }

  async #run(read: ReadCommand): Promise<Answer> {
    const { commander, context } = this.#parts
    const running = new AbortController()
    this.#running = running
    try {
      return await runCommand(read, commander, { ...context, signal: running.signal })
    } finally {
      this.#running = undefined
    }
  }

  #failed(thrown: unknown): void {
    const error = foreseen(thrown)
    if (!(error instanceof ClientGoneError)) this.#log(error)
    this.end(error instanceof ClientGoneError ? undefined : error)
  }

  /** What an operator mistypes is for the operator alone; what is wrong here is for the log. */
  #log(error: ProxyError): void {
    const { session, login, client, logger } = this.#parts.commander
    const { code, sqlState, message: detail } = error
    const fields = { session, login, client, code, sqlState, detail }
    if (error.origin === 'client') logger.debug('console refused', fields)
    else logger.error('console failed', fields)
  }

  #gone(): void {
    this.#running?.abort(new ClientGoneError())
    if (!this.#socket.destroyed) this.#socket.destroy()
  }
}
