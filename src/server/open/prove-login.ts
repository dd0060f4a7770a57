import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ServerTarget } from '../../catalog/route.ts'
import { passwordMessage, saslInitialResponse, saslResponse } from '../../wire/frontend-messages.ts'
import { md5Hash, md5Response } from '../../wire/md5.ts'
import { BackendCode } from '../../wire/message-codes.ts'
import { type Authentication, readAuthentication } from '../../wire/message-fields.ts'
import { endPointHash } from '../../wire/scram/channel-binding.ts'
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../../wire/scram/scram.ts'
import { type ClientBinding, ScramClient, type ScramSecret } from '../../wire/scram/scram-client.ts'
import { ServerLoginError } from '../server-errors.ts'
import { isLoopbackAddress } from './loopback.ts'
import { type LoginExchange, nextReply, unexpectedMessage } from './server-reply.ts'

/** A login under way that has to prove who it is. */
export interface ProvenExchange extends LoginExchange {
  readonly target: ServerTarget
  readonly socket: Socket
}

/**
 * Answers the server's question for a password in the way that it asks, up to AuthenticationOk.
 *
 * @throws ServerLoginError - it refused, asked for something that we don't have or won't send, or
 * could not prove that it knows the password itself.
 */
export async function proveLogin(exchange: ProvenExchange): Promise<void> {
  const question = await nextAuthentication(exchange)
  if (isBindingRequired(exchange) && question.kind !== 'sasl') {
    throw hopeless(exchange, 'it asks for no SCRAM, as channel_binding=require needs')
  }
  if (question.kind === 'ok') return
  await answer(exchange, question)
  await expectAuthentication(exchange, 'ok')
}

async function answer(exchange: ProvenExchange, question: Authentication): Promise<void> {
  const { socket, target } = exchange
  switch (question.kind) {
    case 'cleartextPassword':
      requirePrivacy(exchange)
      socket.write(passwordMessage(passwordOf(exchange)))
      return
    case 'md5Password': {
      const hash = md5Hash(passwordOf(exchange), target.user)
      socket.write(passwordMessage(md5Response(hash, question.salt)))
      return
    }
    case 'sasl':
      await answerScram(exchange, question.mechanisms)
      return
    default:
      throw hopeless(exchange, 'it asks for a kind of authentication that is not supported')
  }
}

async function answerScram(exchange: ProvenExchange, mechanisms: readonly string[]): Promise<void> {
  const { mechanism, channelBinding } = chooseScram(exchange, mechanisms)
  const { socket } = exchange
  const scram = new ScramClient(scramSecretOf(exchange), { channelBinding })
  socket.write(saslInitialResponse(mechanism, scram.start()))
  const challenge = await expectAuthentication(exchange, 'saslContinue')
  socket.write(saslResponse(await scram.proceed(challenge.data)))
  // The signature in it is the server's own proof: without it, anyone could play the server.
  const signature = await expectAuthentication(exchange, 'saslFinal')
  scram.finish(signature.data)
}

interface ScramChoice {
  readonly mechanism: string
  readonly channelBinding: ClientBinding
}

function chooseScram(exchange: ProvenExchange, mechanisms: readonly string[]): ScramChoice {
  const hash = bindableHash(exchange)
  if (hash !== undefined && mechanisms.includes(SCRAM_SHA_256_PLUS)) {
    return { mechanism: SCRAM_SHA_256_PLUS, channelBinding: { kind: 'endPoint', hash } }
  }
  if (isBindingRequired(exchange)) {
    throw hopeless(
      exchange,
      `it doesn't offer ${SCRAM_SHA_256_PLUS}, as channel_binding=require asks`,
    )
  }
  if (!mechanisms.includes(SCRAM_SHA_256)) {
    throw hopeless(exchange, `it doesn't offer ${SCRAM_SHA_256}`)
  }
  const channelBinding = { kind: hash === undefined ? 'none' : 'unused' } as const
  return { mechanism: SCRAM_SHA_256, channelBinding }
}

/** Hash of the server's certificate; `undefined` when there is nothing that we can or may bind to. */
function bindableHash({ socket, target }: ProvenExchange): Buffer | undefined {
  if (!(socket instanceof TLSSocket) || target.tls?.channelBinding === 'disable') return undefined
  const certificate = socket.getPeerX509Certificate()
  return certificate && endPointHash(certificate.raw)
}

function isBindingRequired({ target }: ProvenExchange): boolean {
  return target.tls?.channelBinding === 'require'
}

async function nextAuthentication(exchange: LoginExchange): Promise<Authentication> {
  const message = await nextReply(exchange)
  if (message.code === BackendCode.authentication) return readAuthentication(message.body)
  throw unexpectedMessage(exchange.address, message.code)
}

async function expectAuthentication<Kind extends Authentication['kind']>(
  exchange: LoginExchange,
  kind: Kind,
): Promise<Extract<Authentication, { readonly kind: Kind }>> {
  const found = await nextAuthentication(exchange)
  if (isOfKind(found, kind)) return found
  throw new ServerLoginError(exchange.address, {
    reason: `it sent ${found.kind} where ${kind} was due`,
    isPermanent: false,
  })
}

function isOfKind<Kind extends Authentication['kind']>(
  found: Authentication,
  kind: Kind,
): found is Extract<Authentication, { readonly kind: Kind }> {
  return found.kind === kind
}

function passwordOf(exchange: ProvenExchange): string {
  const { password, scramKeys } = exchange.target
  if (scramKeys !== undefined) {
    throw hopeless(exchange, 'it asks for a password, and only SCRAM keys are known')
  }
  if (password === undefined) throw hopeless(exchange, 'it asks for a password, none is configured')
  return password
}

function scramSecretOf(exchange: ProvenExchange): ScramSecret {
  const { scramKeys } = exchange.target
  if (scramKeys !== undefined) return { kind: 'keys', ...scramKeys }
  return { kind: 'password', password: passwordOf(exchange) }
}

/** A password in the clear must not cross a network. */
function requirePrivacy(exchange: ProvenExchange): void {
  const { target, socket } = exchange
  if (socket instanceof TLSSocket || target.host.startsWith('/')) return
  if (isLoopbackAddress(socket.remoteAddress ?? '')) return
  throw hopeless(exchange, 'it asks for the password in the clear over an unencrypted network')
}

function hopeless({ address }: LoginExchange, reason: string): ServerLoginError {
  return new ServerLoginError(address, { reason, isPermanent: true })
}
