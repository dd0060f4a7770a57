import { AuthenticationFailedError } from '../auth/auth-errors.ts'
import { authenticate } from '../auth/authenticate.ts'
import type { Route } from '../catalog/route.ts'
import type { ProvenLink } from '../pool/pool.ts'
import { proveLink } from '../pool/prove-link.ts'
import { LinkFailedError } from '../server/server-errors.ts'
import { foldCase } from '../sql/fold-case.ts'
import { admitClientSettings } from '../tenancy/client-settings.ts'
import type { Link } from '../tenancy/link.ts'
import { buildLink } from '../tenancy/link.ts'
import type { Claim } from '../tenancy/tag.ts'
import { readClaim } from '../tenancy/tag.ts'
import { negotiateProtocolVersion } from '../wire/backend-messages.ts'
import type { FirstPacket } from '../wire/startup-packet.ts'
import type { ClientChannel } from './client-channel.ts'
import { ClientSettingError, TenantSuspendedError } from './session-errors.ts'
import type { SessionOptions, SessionParts } from './session-parts.ts'

/** SQLSTATE class "data exception": a value that the server did not take. */
const DATA_EXCEPTION = '22'

/** A client that may come in. */
export interface Admitted {
  readonly route: Route
  readonly link: Link
  readonly claim: Claim
}

/** A client that asks to come in, and what decides it. */
export interface Applicant {
  readonly channel: ClientChannel
  readonly packet: Extract<FirstPacket, { kind: 'startup' }>
  readonly options: SessionOptions
  readonly signal: AbortSignal
}

/**
 * Reads the tag, resolves it, and has the client prove who it is. Nothing of the proxy's is held
 * for the client yet when this returns.
 *
 * @throws the errors of `readClaim`, `Catalog.resolve`, `authenticate`, `admitClientSettings`.
 * @throws TenantSuspendedError - after the proof.
 */
export async function admit(applicant: Applicant, parts: SessionParts): Promise<Admitted> {
  const { channel, packet, options } = applicant
  negotiate(channel, packet)
  const claim = readClaim(packet.parameters, options.tag)
  const route = await prove(applicant, claim, parts)
  const settings = admitClientSettings(claim.settings, route.tenancy)
  return { route, claim, link: buildLink(route, settings) }
}

/**
 * Makes sure that the link works, and learns what to tell the client about its session.
 *
 * @throws ClientSettingError - the server refuses a value that the client asked for.
 * @throws LinkFailedError - the link fails for another reason.
 * @throws the errors of a checkout.
 */
export async function learnParameters(
  pool: Parameters<typeof proveLink>[0],
  { route, link }: Admitted,
  signal: AbortSignal,
): Promise<ProvenLink> {
  try {
    return await proveLink(pool, link, { waitMs: route.timeouts.waitMs, signal })
  } catch (error) {
    if (!(error instanceof LinkFailedError) || !isOfClient(error, link)) throw error
    throw new ClientSettingError(error, { cause: error })
  }
}

/** Tenant's and client's settings travel in one statement: the server names the one it refused. */
function isOfClient({ serverSqlState, serverMessage }: LinkFailedError, link: Link): boolean {
  const { clientSettings } = link
  if (serverSqlState.startsWith(DATA_EXCEPTION) && clientSettings.length > 0) return true
  return clientSettings.some(({ name }) => foldCase(serverMessage).includes(`"${name}"`))
}

/** We speak 3.0: a newer minor version and options that we don't know are answered as such. */
function negotiate(channel: ClientChannel, packet: Applicant['packet']): void {
  const unknown = [...packet.parameters.keys()].filter((name) => name.startsWith('_pq_.'))
  if (packet.minorVersion > 0 || unknown.length > 0) {
    channel.send(negotiateProtocolVersion(0, unknown))
  }
}

async function prove(applicant: Applicant, claim: Claim, parts: SessionParts): Promise<Route> {
  const { channel, options } = applicant
  const { login, tenant } = claim
  const source = { address: channel.address, tenant }
  await pause(parts.loginBackoff.delayMs(source), applicant.signal, parts)
  const resolution = await parts.catalog.resolve({ login, tenant })
  try {
    const method = options.authMethod
    const route = await authenticate({ channel, method, login, resolution })
    parts.loginBackoff.succeeded(source)
    if (resolution.kind === 'route' && resolution.isSuspended)
      throw new TenantSuspendedError(tenant)
    return route
  } catch (error) {
    if (error instanceof AuthenticationFailedError) parts.loginBackoff.failed(source)
    throw error
  }
}

function pause(delayMs: number, signal: AbortSignal, { clock }: SessionParts): Promise<void> {
  if (delayMs === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', giveUp)
      resolve()
    })
    const giveUp = () => {
      timer.cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
  })
}
