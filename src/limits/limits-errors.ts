import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { TenantName } from '../tenancy/tenant-name.ts'

/** The process holds as many clients as it may. The client may retry. */
export class TooManyClientsError extends ProxyError {
  override readonly code = 'TOO_MANY_CLIENTS'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'proxy'
  override readonly clientMessage = 'too many client connections'
  readonly maxClients: number

  constructor(maxClients: number, options?: ErrorOptions) {
    super(`all ${maxClients} client connections are taken`, options)
    this.maxClients = maxClients
  }
}

/** One tenant holds as many clients as its record allows; the others are not touched by it. */
export class TenantFullError extends ProxyError {
  override readonly code = 'TENANT_FULL'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'tenant'
  override readonly clientMessage = 'too many client connections for this tenant'
  readonly tenant: TenantName
  readonly maxClients: number

  constructor(tenant: TenantName, maxClients: number, options?: ErrorOptions) {
    super(`tenant ${tenant} holds all its ${maxClients} client connections`, options)
    this.tenant = tenant
    this.maxClients = maxClients
  }
}

/** One tenant holds as many replication connections as its record allows. */
export class ReplicationFullError extends ProxyError {
  override readonly code = 'REPLICATION_FULL'
  override readonly sqlState = SqlState.tooManyConnections
  override readonly origin = 'tenant'
  override readonly clientMessage = 'too many replication connections for this tenant'
  readonly tenant: TenantName
  readonly maxSessions: number

  constructor(tenant: TenantName, maxSessions: number, options?: ErrorOptions) {
    super(`tenant ${tenant} holds all its ${maxSessions} replication connections`, options)
    this.tenant = tenant
    this.maxSessions = maxSessions
  }
}
