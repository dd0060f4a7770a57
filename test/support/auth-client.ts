import type { AuthChannel } from '../../src/auth/authenticate.ts'
import {
  passwordMessage,
  saslInitialResponse,
  saslResponse,
} from '../../src/wire/frontend-messages.ts'
import { md5Hash, md5Response } from '../../src/wire/md5.ts'
import { type Authentication, readAuthentication } from '../../src/wire/message-fields.ts'
import { ScramClient } from '../../src/wire/scram-client.ts'

const HEAD_BYTES = 5

/** Where a client of the tests comes from, and what it types. */
export interface AuthClientOptions {
  readonly login: string
  readonly password: string
  readonly isLoopback?: boolean
  readonly isEncrypted?: boolean
}

/** A client in memory, which answers every question for its password as a driver does. */
export class AuthClient implements AuthChannel {
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
  /** What it was sent, in order. */
  readonly asked: Authentication[] = []
  readonly #login: string
  readonly #password: string
  readonly #scram: ScramClient

  constructor(options: AuthClientOptions) {
    this.isLoopback = options.isLoopback ?? true
    this.isEncrypted = options.isEncrypted ?? false
    this.#login = options.login
    this.#password = options.password
    this.#scram = new ScramClient(options.password)
  }

  /** The kinds of the messages that it was sent. */
  get transcript(): readonly string[] {
    return this.asked.map(({ kind }) => kind)
  }

  /** The salt of the SCRAM exchange, in base64. */
  get saltSeen(): string | undefined {
    const challenge = this.asked.find(({ kind }) => kind === 'saslContinue')
    if (challenge?.kind !== 'saslContinue') return undefined
    return /s=([^,]+)/.exec(challenge.data.toString())?.[1]
  }

  send(bytes: Buffer): void {
    const question = readAuthentication(bytes.subarray(HEAD_BYTES))
    this.asked.push(question)
    if (question.kind === 'saslFinal') this.#scram.finish(question.data)
  }

  async receivePassword(): Promise<Buffer> {
    const message = await this.#answer(this.asked.at(-1))
    return message.subarray(HEAD_BYTES)
  }

  async #answer(question: Authentication | undefined): Promise<Buffer> {
    switch (question?.kind) {
      case 'cleartextPassword':
        return passwordMessage(this.#password)
      case 'md5Password': {
        const hash = md5Hash(this.#password, this.#login)
        return passwordMessage(md5Response(hash, question.salt))
      }
      case 'sasl':
        return saslInitialResponse('SCRAM-SHA-256', this.#scram.start())
      case 'saslContinue':
        return saslResponse(await this.#scram.proceed(question.data))
      default:
        throw new Error(`no answer is due to ${question?.kind}`)
    }
  }
}
