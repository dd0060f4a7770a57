import type { Socket } from 'node:net'
import type { AuthOptions } from '../../auth/authenticate.ts'
import type { CancelTarget } from '../../cancel/cancel-keys.ts'
import type { LoginSecret } from '../../catalog/login.ts'

/** An operator who has proved who it is. */
export interface Operator {
  /** Of the connection; in one series with the ids of sessions. */
  readonly id: number
  readonly login: string
  readonly socket: Socket
  /** Where it comes from, for logs. */
  readonly address: string
}

/** A connection of an operator that is about to be served. */
export interface OperatorSession extends CancelTarget {
  /** ParameterStatus values of the greeting. */
  readonly parameters: ReadonlyMap<string, string>
  /** Begins to serve. `rest`: bytes that came behind the login. */
  start(rest: Buffer): void
}

/**
 * Where clients go that name the console in place of a tenant's database. Its logins lead to no
 * tenant, and tenants' logins do not lead here.
 */
export interface ConsoleDoor {
  /** @param parameters - Of the startup packet. */
  isMeant(parameters: ReadonlyMap<string, string>): boolean
  auth(): AuthOptions
  /** `undefined` for a login that the console has not. */
  secretOf(login: string): LoginSecret | undefined
  /** @throws ProxyError - when there is no place left. */
  open(operator: Operator): OperatorSession
}
