import type { LoginSecret } from '../catalog/login.ts'
import type { AuthChannel } from './auth-channel.ts'

/**
 * Whether SCRAM is bound to the TLS connection, so that nobody can stand between: offered, asked
 * of everybody, or not spoken of.
 */
export type ChannelBinding = 'prefer' | 'require' | 'disable'

/** One client that is asked for its proof. */
export interface Exchange {
  readonly channel: AuthChannel
  readonly login: string
  /** What the made-up secret is made of: the same for the same client, unlike for others. */
  readonly decoySeed: string
  readonly channelBinding: ChannelBinding
  /** `undefined` for a login that is not known: the exchange runs against a made-up one. */
  readonly secret: LoginSecret | undefined
  /** False for a client that is refused whatever it proves, and must not learn that it did. */
  readonly isWelcome: boolean
}
