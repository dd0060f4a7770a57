import { AuthenticationFailedError } from '../../auth/auth-errors.ts'
import { authenticateOperator } from '../../auth/authenticate.ts'
import { type LoginSource, NO_TENANT } from '../../limits/login-backoff.ts'
import { NoUserError } from '../../tenancy/tenancy-errors.ts'
import type { FirstPacket } from '../../wire/startup-packet.ts'
import { ClientGoneError } from '../session-errors.ts'
import type { SessionParts } from '../session-parts.ts'
import type { Applicant } from './admit.ts'
import type { ConsoleDoor } from './console-door.ts'
import { greeting } from './greeting.ts'
import { pauseBefore } from './pause-before.ts'
import { cancelKeyBytes, versionAnswer } from './protocol-version.ts'

/** An operator who asks to come in. */
export interface OperatorArrival extends Pick<Applicant, 'channel' | 'signal'> {
  readonly id: number
  readonly packet: Extract<FirstPacket, { kind: 'startup' }>
}

/**
 * Has an operator prove who it is, and hands its connection to the console.
 *
 * @throws NoUserError - nobody is named.
 * @throws the errors of `authenticateOperator` and of `ConsoleDoor.open`.
 */
export async function admitOperator(
  arrival: OperatorArrival,
  door: ConsoleDoor,
  parts: SessionParts,
): Promise<void> {
  const { id, channel, packet } = arrival
  const answer = versionAnswer(packet)
  if (answer !== undefined) channel.send(answer)
  const login = packet.parameters.get('user') ?? ''
  if (login === '') throw new NoUserError()
  await prove(arrival, login, { door, parts })
  const { socket, address } = channel
  if (socket.destroyed) throw new ClientGoneError()
  const session = door.open({ id, login, socket, address })
  const key = parts.cancelKeys.issue(session, { keyBytes: cancelKeyBytes(packet) })
  socket.once('close', () => parts.cancelKeys.revoke(key.id))
  socket.write(greeting({ parameters: session.parameters, key }))
  parts.logger.debug('operator connected', { session: id, login, client: address })
  session.start(channel.release())
}

async function prove(
  { channel, signal }: OperatorArrival,
  login: string,
  { door, parts }: { readonly door: ConsoleDoor; readonly parts: SessionParts },
): Promise<void> {
  const { loginBackoff, clock } = parts
  const source: LoginSource = { address: channel.address, tenant: NO_TENANT }
  await pauseBefore(loginBackoff.delayMs(source), signal, clock)
  try {
    const secret = door.secretOf(login)
    await authenticateOperator({ channel, options: door.auth(), login, secret })
    loginBackoff.succeeded(source)
  } catch (error) {
    if (error instanceof AuthenticationFailedError) loginBackoff.failed(source)
    throw error
  }
}
