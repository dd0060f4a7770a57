import type { AuthChannel, ClientCertificate } from '../../src/auth/auth-channel.ts'
import {
  passwordMessage,
  saslInitialResponse,
  saslResponse,
} from '../../src/wire/frontend-messages.ts'
import { md5Hash, md5Response } from '../../src/wire/md5.ts'
import { type Authentication, readAuthentication } from '../../src/wire/message-fields.ts'
import { ScramClient } from '../../src/wire/scram/scram-client.ts'

const HEAD_BYTES = 5

/** Where a client of the tests comes from, and what it types. */
export interface AuthClientOptions {
  readonly login: string
  readonly password: string
  readonly isLoopback?: boolean
  readonly isEncrypted?: boolean
  /** What the server's certificate hashes to, as both sides see it. */
  readonly tlsServerEndPoint?: Buffer
  readonly clientCertificate?: ClientCertificate
}

/** A client in memory, which answers every question for its password as a driver does. */
export class AuthClient implements AuthChannel {
  readonly isLoopback: boolean
  readonly isEncrypted: boolean
  readonly tlsServerEndPoint: Buffer | undefined
  readonly clientCertificate: ClientCertificate | undefined
  /** What it was sent, in order. */
  readonly asked: Authentication[] = []
  readonly #login: string
  readonly #password: string
  #scram: ScramClient

  constructor(options: AuthClientOptions) {
    this.isLoopback = options.isLoopback ?? true
    this.isEncrypted = options.isEncrypted ?? false
    this.tlsServerEndPoint = options.tlsServerEndPoint
    this.clientCertificate = options.clientCertificate
    this.#login = options.login
    this.#password = options.password
    this.#scram = new ScramClient({ kind: 'password', password: options.password })
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
        return this.#startScram(question.mechanisms)
      case 'saslContinue':
        return saslResponse(await this.#scram.proceed(question.data))
      default:
        throw new Error(`no answer is due to ${question?.kind}`)
    }
  }

  /** With channel binding where it is offered. */
  #startScram(offered: readonly string[]): Buffer {
    const hash = this.tlsServerEndPoint
    const [mechanism = ''] = offered
    if (mechanism === 'SCRAM-SHA-256-PLUS' && hash !== undefined) {
      const channelBinding = { kind: 'endPoint', hash } as const
      this.#scram = new ScramClient(
        { kind: 'password', password: this.#password },
        { channelBinding },
      )
    }
    return saslInitialResponse(mechanism, this.#scram.start())
  }
}
