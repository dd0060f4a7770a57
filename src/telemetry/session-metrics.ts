import { Counter, type Registry } from 'prom-client'
import { AuthenticationFailedError, type AuthFailureReason } from '../auth/auth-errors.ts'
import type { PinReason } from '../session/kept-state.ts'
import type { SessionObserver, SwitchResult } from '../session/session-observer.ts'
import type { GuardReason } from '../tenancy/guard.ts'
import { DurationHistogram } from './duration-histogram.ts'
import type { AffectedTenants } from './tenants/affected-tenants.ts'
import type { TenantAccounts } from './tenants/tenant-accounts.ts'

const LOGIN_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** All of them, so that each series is there at 0 before its first failure. */
const AUTH_FAILURE_REASONS: Readonly<Record<AuthFailureReason, 0>> = {
  unknownTenant: 0,
  unknownLogin: 0,
  notGranted: 0,
  brokenRecord: 0,
  wrongPassword: 0,
  wrongCertificate: 0,
  passwordExpired: 0,
  unsuitableSecret: 0,
}

const PIN_REASONS: Readonly<Record<PinReason, 0>> = {
  set: 0,
  listen: 0,
  prepare: 0,
  temp: 0,
  hold: 0,
  advisoryLock: 0,
  load: 0,
  unknown: 0,
}

const GUARD_REASONS: Readonly<Record<GuardReason, 0>> = {
  search_path: 0,
  tenant_setting: 0,
  role: 0,
  session_authorization: 0,
  unknown_setting: 0,
  alter_role: 0,
  hidden_name: 0,
}

const SWITCH_RESULTS: Readonly<Record<SwitchResult, 0>> = { done: 0, refused: 0, failed: 0 }

/** Whom sessions are counted for. */
export interface CountedTenants {
  readonly accounts: TenantAccounts
  readonly affected: AffectedTenants
}

/**
 * Counts what becomes of sessions. No label names a tenant or a login here: they are unbounded, and
 * tenants have metrics of their own.
 */
export function observeSessions(
  registry: Registry,
  { accounts, affected }: CountedTenants,
): SessionObserver {
  const counters = sessionCounters(registry)
  const loginSeconds = new DurationHistogram({
    name: 'pgusher_login_seconds',
    help: 'Time from accepting a connection to the end of its login, of those let in.',
    bounds: LOGIN_BOUNDS,
  }).register(registry)
  return {
    tenant: (name) => accounts.of(name),
    opened(tenant, loginMs) {
      accounts.entered(tenant)
      counters.opened.inc()
      loginSeconds.observeMs(loginMs)
    },
    closed(tenant, error) {
      accounts.left(tenant)
      counters.closed.inc({ code: error?.code ?? 'ok' })
      if (error !== undefined) affected.note(tenant, error.code)
    },
    refused(error) {
      counters.refused.inc({ code: error.code })
      if (error instanceof AuthenticationFailedError) {
        counters.authFailures.inc({ reason: error.reason })
      }
    },
    turnedAway(tenant, error) {
      affected.note(tenant, error.code)
    },
    cancelRequested(isKnown) {
      counters.cancels.inc({ result: isKnown ? 'found' : 'not_found' })
    },
    tenantSwitched(tenant, result, from) {
      counters.switches.inc({ result })
      if (from === undefined) return
      accounts.left(from)
      accounts.entered(tenant)
    },
    pinned(_tenant, reason) {
      counters.pins.inc({ reason })
    },
    guardRefused(_tenant, reason) {
      counters.guardRefusals.inc({ reason })
    },
  }
}

function sessionCounters(registry: Registry) {
  const registers = [registry]
  const opened = new Counter({
    name: 'pgusher_sessions_opened_total',
    help: 'Clients that logged in.',
    registers,
  })
  const closed = new Counter({
    name: 'pgusher_sessions_closed_total',
    help: 'Sessions that ended, by error code; `ok` when the client left by itself.',
    labelNames: ['code'],
    registers,
  })
  closed.inc({ code: 'ok' }, 0)
  const refused = new Counter({
    name: 'pgusher_logins_refused_total',
    help: 'Connections that were not let in, by error code.',
    labelNames: ['code'],
    registers,
  })
  return { opened, closed, refused, ...requestCounters(registry) }
}

function requestCounters(registry: Registry) {
  const registers = [registry]
  const authFailures = new Counter({
    name: 'pgusher_auth_failures_total',
    help: 'Refused logins with the code AUTHENTICATION_FAILED, by the true reason.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of Object.keys(AUTH_FAILURE_REASONS)) authFailures.inc({ reason }, 0)
  const cancels = new Counter({
    name: 'pgusher_cancel_requests_total',
    help: 'Cancel requests, by whether their key belonged to a session.',
    labelNames: ['result'],
    registers,
  })
  for (const result of ['found', 'not_found']) cancels.inc({ result }, 0)
  const pins = new Counter({
    name: 'pgusher_pins_total',
    help: 'Clients in transaction mode that had to keep their server connection, by the state they made.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of Object.keys(PIN_REASONS)) pins.inc({ reason }, 0)
  return { authFailures, cancels, pins, ...statementCounters(registers) }
}

function statementCounters(registers: Registry[]) {
  const guardRefusals = new Counter({
    name: 'pgusher_guard_refusals_total',
    help: 'Statements that were not run, as they would have led their tenant out of its place, by what they would have set.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of Object.keys(GUARD_REASONS)) guardRefusals.inc({ reason }, 0)
  return { guardRefusals, switches: switchCounter(registers) }
}

function switchCounter(registers: Registry[]): Counter {
  const switches = new Counter({
    name: 'pgusher_tenant_switches_total',
    help: 'Changes of tenant that clients asked for in their sessions, by what became of them.',
    labelNames: ['result'],
    registers,
  })
  for (const result of Object.keys(SWITCH_RESULTS)) switches.inc({ result }, 0)
  return switches
}
