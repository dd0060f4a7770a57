import { negotiateProtocolVersion } from '../../wire/backend-messages.ts'
import type { FirstPacket } from '../../wire/startup-packet.ts'

/** The newest minor version spoken here: protocol 3.2. */
const NEWEST_MINOR = 2

/** The first minor version whose cancel keys are long. */
const LONG_KEY_MINOR = 2

/** What a startup packet says of the protocol. */
type StartupPacket = Extract<FirstPacket, { kind: 'startup' }>

/**
 * The answer to a client that asks for a newer minor version, or for protocol options, none of
 * which are known here; `undefined` when it gets what it asked for. 3.1 was never defined: as
 * Postgres does, it is taken for 3.0.
 *
 * @see https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
export function versionAnswer({ minorVersion, parameters }: StartupPacket): Buffer | undefined {
  const unknown = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'))
  if (minorVersion <= NEWEST_MINOR && unknown.length === 0) return undefined
  return negotiateProtocolVersion(Math.min(minorVersion, NEWEST_MINOR), unknown)
}

/** How long the secret of the client's cancel key is, in bytes. */
export function cancelKeyBytes({ minorVersion }: StartupPacket): 4 | 32 {
  return minorVersion >= LONG_KEY_MINOR ? 32 : 4
}
