import { AuthenticationFailedError } from '../../auth/auth-errors.ts'
import { SUITABLE_SECRETS } from '../../auth/authenticate.ts'
import { ProxyError } from '../../base/proxy-error.ts'
import type { Resolution, RouteRequest } from '../../catalog/catalog.ts'
import type { Explanation } from '../../catalog/layers/layered-catalog.ts'
import type { AuthMethod } from '../../catalog/login.ts'
import { TenantSuspendedError } from '../../session/session-errors.ts'
import { admitClientSettings } from '../../tenancy/client-settings.ts'
import { authorizeReplication } from '../../tenancy/replication.ts'
import { type Claim, readClaim, type TagOptions } from '../../tenancy/tag.ts'
import type { Setting } from '../../tenancy/tenancy.ts'
import type { Conninfo } from './conninfo.ts'
import {
  claimLines,
  connectionLines,
  findingLine,
  type Line,
  refusalLines,
  routeLines,
} from './explain-lines.ts'

/** What becomes of one connection string. */
export interface ExplainedConnection {
  readonly isAdmitted: boolean
  /** Label and text of each line, without secrets. */
  readonly lines: readonly Line[]
}

/** Looks requests up as the proxy would. */
export interface Resolver {
  /** @throws CatalogUnavailableError - when nobody can say what a name leads to. */
  resolve(request: RouteRequest): Promise<Explanation>
  /** Which layers were asked so far, what they said, and what went wrong on the way. */
  lines(): readonly Line[]
}

/** How logins are judged. */
export interface RoutePolicy {
  readonly tag: TagOptions
  readonly method: AuthMethod
  /** Whether clients are offered TLS, and so can name a server. */
  readonly offersTls: boolean
}

/** Goes the way of a session's login up to the password. */
export async function explainRoute(
  conninfo: Conninfo,
  policy: RoutePolicy,
  resolver: Resolver,
): Promise<ExplainedConnection> {
  const lines: Line[] = [...connectionLines(conninfo)]
  try {
    const claim = readClaim(conninfo.parameters, policy.tag, {
      serverName: policy.offersTls ? conninfo.serverName : undefined,
      certificateNames: [],
    })
    lines.push(...claimLines(claim))
    const { login, tenant } = claim
    const { resolution, findings } = await resolver
      .resolve({ login, tenant })
      .finally(() => lines.push(...resolver.lines()))
    lines.push(...findings.map(findingLine))
    const judgement = judge(claim, resolution, policy.method)
    if (resolution.kind === 'route') {
      const session = { ...resolution, method: policy.method, settings: judgement.settings }
      lines.push(...routeLines(session))
    }
    if (judgement.error !== undefined) throw judgement.error
    lines.push(['admitted', 'yes, with the right password or certificate'])
    return { isAdmitted: true, lines }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    lines.push(...refusalLines(error))
    return { isAdmitted: false, lines }
  }
}

/** What is known without a password. */
interface Judgement {
  /** The client's own, as they will be put in force; none when the session is refused. */
  readonly settings: readonly Setting[]
  readonly error: ProxyError | undefined
}

function judge(claim: Claim, resolution: Resolution, method: AuthMethod): Judgement {
  try {
    return { settings: settingsOf(claim, resolution, method), error: undefined }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    return { settings: [], error }
  }
}

/** In the order in which a session would meet the refusals. */
function settingsOf(claim: Claim, resolution: Resolution, method: AuthMethod): readonly Setting[] {
  const { login, tenant, replication } = claim
  if (resolution.kind === 'refused') throw new AuthenticationFailedError(login, resolution.reason)
  const { route, secret, isSuspended } = resolution
  const suitable = SUITABLE_SECRETS[method]
  const isAsked = secret.kind === 'authQuery'
  if (suitable.length > 0 && !isAsked && !suitable.includes(secret.kind)) {
    throw new AuthenticationFailedError(login, 'unsuitableSecret')
  }
  if (isSuspended) throw new TenantSuspendedError(tenant)
  if (replication !== 'none') authorizeReplication(replication, route.replication)
  return admitClientSettings(claim.settings, route.tenancy)
}
