import { AuthenticationFailedError } from '../../auth/auth-errors.ts'
import { authenticate } from '../../auth/authenticate.ts'
import { routeOfSession } from '../../auth/client-proof.ts'
import type { Route } from '../../catalog/route.ts'
import { admitClientSettings } from '../../tenancy/client-settings.ts'
import type { Link } from '../../tenancy/link.ts'
import { buildLink } from '../../tenancy/link.ts'
import { authorizeReplication } from '../../tenancy/replication.ts'
import type { Claim } from '../../tenancy/tag.ts'
import { readClaim } from '../../tenancy/tag.ts'
import type { FirstPacket } from '../../wire/startup-packet.ts'
import type { Credential } from '../follow/credential.ts'
import { TenantSuspendedError } from '../session-errors.ts'
import type { SessionOptions, SessionParts } from '../session-parts.ts'
import type { ClientChannel } from './client-channel.ts'
import { pauseBefore } from './pause-before.ts'
import { versionAnswer } from './protocol-version.ts'

/** A client that may come in. */
export interface Admitted {
  readonly route: Route
  readonly link: Link
  readonly claim: Claim
  readonly credential: Credential
  /** Changes of the catalog that had been heard of when the route was resolved. */
  readonly since: number
}

/** A client that asks to come in, and what decides it. */
export interface Applicant {
  readonly channel: ClientChannel
  readonly claim: Claim
  readonly options: SessionOptions
  readonly signal: AbortSignal
}

/**
 * Reads who a client says it is, and answers what it said of its protocol.
 *
 * @throws the errors of `readClaim`.
 */
export function hearClaim(
  packet: Extract<FirstPacket, { kind: 'startup' }>,
  channel: ClientChannel,
  { tag }: Pick<SessionOptions, 'tag'>,
): Claim {
  const answer = versionAnswer(packet)
  if (answer !== undefined) channel.send(answer)
  return readClaim(packet.parameters, tag, channel.tlsNames)
}

/**
 * Resolves the tag, and has the client prove who it is. Nothing of the proxy's is held for the
 * client yet when this returns.
 *
 * @throws the errors of `Catalog.resolve`, `authenticate`, `admitClientSettings`.
 * @throws TenantSuspendedError, ReplicationRefusedError - after the proof.
 */
export async function admit(applicant: Applicant, parts: SessionParts): Promise<Admitted> {
  const { claim } = applicant
  const proven = await prove(applicant, parts)
  const { route } = proven
  if (claim.replication !== 'none') authorizeReplication(claim.replication, route.replication)
  const settings = admitClientSettings(claim.settings, route.tenancy)
  return { ...proven, claim, link: buildLink(route, settings) }
}

async function prove(
  applicant: Applicant,
  parts: SessionParts,
): Promise<Pick<Admitted, 'route' | 'credential' | 'since'>> {
  const { channel, claim, options } = applicant
  const { login, tenant } = claim
  const source = { address: channel.address, tenant }
  await pauseBefore(parts.loginBackoff.delayMs(source), applicant.signal, parts.clock)
  const since = parts.follower.changes
  const resolution = await parts.catalog.resolve({ login, tenant })
  try {
    const secrets = parts.authQueries
    const request = { channel, options: options.auth, login, tenant, resolution, secrets }
    const { route, proof } = await authenticate(request)
    parts.loginBackoff.succeeded(source)
    if (resolution.kind === 'route' && resolution.isSuspended)
      throw new TenantSuspendedError(tenant)
    const credential = { method: options.auth.method, secret: resolution.secret }
    return { route: routeOfSession(route, proof), credential, since }
  } catch (error) {
    if (error instanceof AuthenticationFailedError) parts.loginBackoff.failed(source)
    throw error
  }
}
