import type { Operations, Views } from './admin/operations.ts'
import type { Pauses } from './limits/pauses.ts'
import type { Pools } from './pool/pools.ts'
import type { Sessions } from './session/sessions.ts'

/** The rooms that operators reach into. */
export interface OperatedRooms {
  readonly pauses: Pauses
  readonly sessions: Sessions
  readonly pools: Pools
}

/** What operators may do to tenants and their sessions. */
export type TenantOperations = Omit<Operations, 'reload' | 'shutdown'>

export function tenantOperations({ pauses, sessions, pools }: OperatedRooms): TenantOperations {
  return {
    async pause(tenant, signal) {
      pauses.pause(tenant)
      pools.reconnect(tenant)
      await sessions.quiet(tenant, signal)
    },
    resume: (tenant) => pauses.resume(tenant),
    kill(tenant) {
      pauses.pause(tenant)
      const count = sessions.killOf(tenant)
      pools.reconnect(tenant)
      return count
    },
    killSession: (id) => sessions.killOne(id),
    reconnect: (tenant) => pools.reconnect(tenant),
  }
}

export function tenantViews({ pauses, sessions, pools }: OperatedRooms): Views {
  return {
    sessions: () => sessions.views(),
    pools: () => pools.views(),
    paused: () => pauses,
  }
}
