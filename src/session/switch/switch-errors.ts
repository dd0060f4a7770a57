import { ProxyError } from '../../base/proxy-error.ts'
import { SqlState } from '../../base/sql-state.ts'
import type { RefusalReason } from '../../catalog/catalog.ts'
import { show } from '../../tenancy/tenancy-errors.ts'

/** Why a client may not act for the tenant that it asks for; for the log, never for the client. */
export type SwitchRefusal =
  | RefusalReason
  /** No tenant has such a name. */
  | 'malformedName'
  /** The client's certificate names its tenant. */
  | 'boundByCertificate'
  /** `tenancy.tag.parameter` is off. */
  | 'notByParameter'
  /** The login's secret has changed, or another server holds the one for that tenant. */
  | 'notProven'

/** A client asked for a tenant that it may not act for. Its session goes on where it is. */
export class TenantSwitchRefusedError extends ProxyError {
  override readonly code = 'TENANT_SWITCH_REFUSED'
  override readonly sqlState = SqlState.insufficientPrivilege
  override readonly origin = 'client'
  override readonly clientMessage: string
  /** For the log: the client hears the same for all of them. */
  readonly reason: SwitchRefusal

  constructor(tenant: string, reason: SwitchRefusal) {
    super(`no change to tenant ${show(tenant)}: ${reason}`)
    this.reason = reason
    this.clientMessage = `permission denied for tenant ${show(tenant)}`
  }
}

/** The tenant's server asks for a proof of the client's own, which was not kept. */
export class TenantSwitchImpossibleError extends ProxyError {
  override readonly code = 'TENANT_SWITCH_IMPOSSIBLE'
  override readonly sqlState = SqlState.featureNotSupported
  override readonly origin = 'client'
  override readonly clientMessage = 'a session cannot change to this tenant'
  override readonly hint = 'Connect anew, and name the tenant there.'

  constructor(tenant: string) {
    super(`tenant ${show(tenant)} has serverUser client, and the proof of the login was not kept`)
  }
}

/** A text names the tenant where the proxy can't act on it. */
export class TenantCommandMisplacedError extends ProxyError {
  override readonly code = 'TENANT_COMMAND_MISPLACED'
  override readonly sqlState: SqlState
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint =
    "Send SET pgusher.tenant = 'name' as a request of its own, between transactions, and wait for its answer."

  constructor(isInTransaction: boolean) {
    const text = isInTransaction
      ? 'pgusher.tenant cannot be changed in a transaction'
      : 'pgusher.tenant cannot be changed in this way'
    super(text)
    this.sqlState = isInTransaction ? SqlState.activeSqlTransaction : SqlState.featureNotSupported
    this.clientMessage = text
  }
}

/**
 * A change of tenant failed when there was no way back, or with requests behind it that were meant
 * for the other tenant: the session ends.
 */
export class TenantSwitchFailedError extends ProxyError {
  override readonly code = 'TENANT_SWITCH_FAILED'
  override readonly sqlState = SqlState.adminShutdown
  override readonly origin = 'tenant'
  override readonly clientMessage =
    'terminating connection because its change to another tenant failed'
  override readonly hint = 'Connect again.'

  constructor(cause: ProxyError) {
    super(`change of tenant failed: ${cause.message}`, { cause })
  }
}
