import type { PinReason } from './kept-state.ts'
import type { SessionState } from './session-state.ts'

/** One end of a connection; `undefined` where it is a unix socket. */
export interface EndPoint {
  readonly address: string
  readonly port: number
}

/** A logged-in session as operators see it, at one moment. Times are in ms before that. */
export interface SessionView {
  readonly id: number
  readonly tenant: string
  readonly login: string
  /** Of its server connections. */
  readonly database: string
  readonly applicationName: string
  readonly isReplication: boolean
  readonly state: SessionState['kind']
  readonly isInTransaction: boolean
  /** What keeps it on its server connection; empty where nothing does. */
  readonly pins: readonly PinReason[]
  readonly client: EndPoint | undefined
  readonly local: EndPoint | undefined
  /** Such as `TLSv1.3/TLS_AES_256_GCM_SHA384`; empty without TLS. */
  readonly tls: string
  readonly ageMs: number
  /** Since its latest request began; `undefined` before the first one. */
  readonly requestAgeMs: number | undefined
  /** How long it has waited for a server connection; `0` while it does not. */
  readonly waitMs: number
  /** `ServerView.id` of the server connection that it holds. */
  readonly serverId: number | undefined
  readonly preparedStatements: number
}
