import type { FirstPacket } from '../../wire/startup-packet.ts'
import { ProtocolViolationError } from '../../wire/wire-errors.ts'
import { ClientCertificateError, TlsHandshakeError, TlsRequiredError } from '../session-errors.ts'
import type { ClientChannel } from './client-channel.ts'
import type { ClientTls } from './client-tls.ts'

/** Answers to a request to negotiate encryption. */
const ENCRYPTED = Buffer.from('S')
const NOT_ENCRYPTED = Buffer.from('N')

/** What a client has come for. */
type FirstRequest = Extract<FirstPacket, { kind: 'startup' | 'cancel' }>

/**
 * Reads up to the startup or the cancel request, and starts TLS on the way, at once or when the
 * client asks for it. Each kind of encryption is asked for once at most.
 *
 * @param tls - `undefined` where it is switched off. Unix sockets never have it, as in Postgres.
 * @throws ProtocolViolationError - the packets make no sense, or come in no sensible order.
 * @throws TlsHandshakeError - there is nobody who could read an answer.
 * @throws TlsRequiredError, ClientCertificateError - refused before anything else is looked at.
 */
export async function readFirstRequest(
  channel: ClientChannel,
  tls: ClientTls | undefined,
): Promise<FirstRequest> {
  const offered = channel.isUnix ? undefined : tls
  if (await channel.beginsWithTls()) await startDirectly(channel, offered)
  const request = await negotiate(channel, offered)
  if (channel.certificateFault !== undefined) {
    throw new ClientCertificateError(channel.certificateFault)
  }
  // Old clients cancel without TLS, whatever they used for their session; the key is proof enough.
  const isRequired = offered?.isRequired === true && request.kind === 'startup'
  if (isRequired && !channel.isEncrypted) throw new TlsRequiredError()
  return request
}

async function negotiate(
  channel: ClientChannel,
  tls: ClientTls | undefined,
): Promise<FirstRequest> {
  const asked = new Set<FirstPacket['kind']>()
  for (;;) {
    const packet = await channel.firstPacket()
    if (packet.kind === 'startup' || packet.kind === 'cancel') return packet
    if (asked.has(packet.kind)) throw new ProtocolViolationError('unexpected startup packet')
    asked.add(packet.kind)
    if (packet.kind === 'sslRequest' && tls !== undefined && !channel.isEncrypted) {
      asked.add('gssEncRequest')
      await channel.sendAll(ENCRYPTED)
      await channel.startTls(tls)
    } else {
      channel.send(NOT_ENCRYPTED)
    }
  }
}

/** Without ALPN, bytes meant for another protocol could be taken for ours: Postgres insists too. */
async function startDirectly(channel: ClientChannel, tls: ClientTls | undefined): Promise<void> {
  if (tls === undefined) throw new TlsHandshakeError('direct TLS where none is offered')
  const { isPostgresAgreed } = await channel.startTls(tls)
  if (!isPostgresAgreed) throw new TlsHandshakeError('direct TLS without ALPN')
}
