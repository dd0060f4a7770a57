import { parseArgs } from 'node:util'
import { AuthenticationFailedError } from '../auth/auth-errors.ts'
import { SUITABLE_SECRETS } from '../auth/authenticate.ts'
import { ProxyError } from '../base/proxy-error.ts'
import type { Resolution } from '../catalog/catalog.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load-config.ts'
import { TenantSuspendedError } from '../session/session-errors.ts'
import { admitClientSettings } from '../tenancy/client-settings.ts'
import { authorizeReplication } from '../tenancy/replication.ts'
import { type Claim, readClaim } from '../tenancy/tag.ts'
import type { Setting } from '../tenancy/tenancy.ts'
import { type CommandIo, ExitCode, namedConfigFile, reportFailure, UsageError } from './command.ts'
import { type Conninfo, readConninfo } from './conninfo.ts'
import { type Resolver, withResolver } from './explain-catalog.ts'
import {
  claimLines,
  connectionLines,
  findingLine,
  type Line,
  pageOf,
  refusalLines,
  routeLines,
} from './explain-lines.ts'

/** What becomes of one connection string. */
export interface ExplainedConnection {
  readonly isAdmitted: boolean
  /** Label and text of each line, without secrets. */
  readonly lines: readonly Line[]
}

/**
 * `pgusher explain [--config FILE] CONNINFO`: shows which tenant a connection string names, where
 * its sessions go and how, or why they are refused. It asks the catalog, and connects to no server of
 * a tenant.
 *
 * @param args - What follows `explain` on the command line.
 */
export async function runExplain(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    const { file, text } = readArguments(args, io)
    const conninfo = readConninfo(text)
    const config = loadConfig({ file, env: io.env })
    const { isAdmitted, lines } = await withResolver(config, (resolver) =>
      explain(conninfo, config, resolver),
    )
    io.stdout.write(pageOf(lines))
    return isAdmitted ? ExitCode.ok : ExitCode.failure
  } catch (error) {
    return reportFailure(error, io)
  }
}

/** Goes the way of a session's login up to the password. */
export async function explain(
  conninfo: Conninfo,
  config: Config,
  resolver: Resolver,
): Promise<ExplainedConnection> {
  const lines: Line[] = [...connectionLines(conninfo)]
  try {
    const claim = readClaim(conninfo.parameters, tagOptions(config), {
      serverName: config.clientTls && conninfo.serverName,
      certificateNames: [],
    })
    lines.push(...claimLines(claim))
    const { login, tenant } = claim
    const { resolution, findings } = await resolver
      .resolve({ login, tenant })
      .finally(() => lines.push(...resolver.lines()))
    lines.push(...findings.map(findingLine))
    const judgement = judge(claim, resolution, config)
    if (resolution.kind === 'route') {
      const session = { ...resolution, method: config.auth.method, settings: judgement.settings }
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

function judge(claim: Claim, resolution: Resolution, { auth }: Config): Judgement {
  try {
    return { settings: settingsOf(claim, resolution, auth.method), error: undefined }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    return { settings: [], error }
  }
}

/** In the order in which a session would meet the refusals. */
function settingsOf(
  claim: Claim,
  resolution: Resolution,
  method: Config['auth']['method'],
): readonly Setting[] {
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

function tagOptions({ tenancy }: Config): Parameters<typeof readClaim>[1] {
  return { ...tenancy.tag, defaultTenant: tenancy.default }
}

function readArguments(
  args: readonly string[],
  { env }: CommandIo,
): { readonly file: string; readonly text: string } {
  const { values, positionals } = parse(args)
  const [text, ...more] = positionals
  if (text === undefined || more.length > 0) {
    throw new UsageError("name one connection string, such as 'postgresql://app.acme@host/db'")
  }
  return { file: namedConfigFile(values.config, env), text }
}

function parse(args: readonly string[]) {
  try {
    const options = { config: { type: 'string' } } as const
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
