import { ProxyError } from '../base/proxy-error.ts'
import { SqlState } from '../base/sql-state.ts'
import type { GuardReason, GuardRefusal } from '../tenancy/guard.ts'

const INSTEAD = 'or set isolation.level to convenience.'

/** A statement would lead its tenant out of its own place. It is not run; the session goes on. */
export class GuardRefusedError extends ProxyError {
  override readonly code = 'GUARD_REFUSED'
  override readonly sqlState = SqlState.insufficientPrivilege
  override readonly origin = 'client'
  override readonly clientMessage: string
  override readonly hint: string

  constructor({ reason, setting = '' }: GuardRefusal) {
    const { what, hint } = TEXTS[reason]
    const text = `permission denied to ${what.replace('%', setting)}`
    super(text)
    this.clientMessage = text
    this.hint = hint.replace('%', setting)
  }
}

/** For each reason what is refused and what to do instead; `%` stands for the setting. */
const TEXTS: Readonly<Record<GuardReason, { readonly what: string; readonly hint: string }>> = {
  search_path: {
    what: 'set "%" to this value',
    hint: `Name schemas of the tenant alone, each in plain letters, ${INSTEAD}`,
  },
  tenant_setting: {
    what: 'set "%" to this value',
    hint: `The proxy sets % for the tenant: leave it out, ${INSTEAD}`,
  },
  role: {
    what: 'set "%" to this value',
    hint: `The proxy takes the role of the tenant: leave it out, ${INSTEAD}`,
  },
  session_authorization: {
    what: 'set "%"',
    hint: `The proxy takes the role of the tenant: leave it out, ${INSTEAD}`,
  },
  unknown_setting: {
    what: 'set a parameter whose name is not in the statement',
    hint: `Write the name of the parameter into the statement, as a literal, ${INSTEAD}`,
  },
  alter_role: {
    what: 'alter what tenants share',
    hint: `Alter roles, databases and the system over a connection of their owner, ${INSTEAD}`,
  },
  hidden_name: {
    what: 'use a name that cannot be read',
    hint: `Write the name without UESCAPE, ${INSTEAD}`,
  },
}
