import type { ProxyError } from '../../src/base/proxy-error.ts'
import type { EffectsPolicy } from '../../src/relay/effects-watch.ts'
import { Relay, type RelayListener } from '../../src/relay/relay.ts'
import { RequestStream } from '../../src/relay/request-stream.ts'
import { StatementTable } from '../../src/relay/statement-table.ts'
import type { TenantVoice } from '../../src/relay/tenant-texts.ts'
import type { ServerConnection } from '../../src/server/server-connection.ts'
import type { SessionFacts } from '../../src/server/session-facts.ts'
import type { StatementEffects } from '../../src/sql/scan/statement-effects.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { errorResponse } from '../../src/wire/backend-messages.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { FakeServer } from '../support/fake-server.ts'

const ACME = linkOf('acme')
/** What the proxy says of the tenant; the refusals tell where they were asked for. */
export const VOICE: TenantVoice = {
  tenant: 'acme' as TenantName,
  refusal: (isInTransaction) =>
    errorResponse({
      severity: 'ERROR',
      code: isInTransaction ? '25001' : '0A000',
      message: 'not here',
    }),
  guard: undefined,
}

/** A client, its relay, and the server connections that it gets in turn. */
export class RelayRig {
  readonly out: Buffer[] = []
  readonly turns: string[] = []
  readonly errors: string[] = []
  error: ProxyError | undefined
  facts: SessionFacts | undefined
  isPaused = false
  /** Corks of the client's side that are still in. */
  corks = 0
  isWelcome = true
  guard: TenantVoice['guard']
  readonly requests: RequestStream
  readonly relay: Relay

  constructor(
    table = new StatementTable('pgusher_'),
    limits = {
      maxStatementBytes: 1_000,
      maxPreparedPerClient: 5,
      maxPreparedBytesPerClient: 5_000,
    },
    refusal: EffectsPolicy['refusal'] = () => undefined,
  ) {
    const statements = { table, family: table.family(ACME.tenantKey), limits }
    const voice = { ...VOICE, guard: (effects: StatementEffects) => this.guard?.(effects) }
    this.requests = new RequestStream({ statements, effects: { link: ACME, refusal } }, voice)
    const client = {
      write: (bytes: Buffer) => {
        this.out.push(bytes)
        return this.isWelcome
      },
      cork: () => {
        this.corks += 1
      },
      uncork: () => {
        this.corks -= 1
      },
      pause: () => {
        this.isPaused = true
      },
      resume: () => {
        this.isPaused = false
      },
    }
    const listener: RelayListener = {
      turnSettled: () => this.turns.push('settled'),
      errorReported: (sqlState, origin) => this.errors.push(`${origin} ${sqlState}`),
      turnLost: (error) => {
        this.turns.push('lost')
        this.error = error
      },
      factsTold: (facts) => {
        this.turns.push('told')
        this.facts = facts
        return true
      },
    }
    const parameters = new Map([['server_version', '18.4']])
    this.relay = new Relay({ client, requests: this.requests, listener, parameters })
  }

  /** What the client got since the last call. */
  takeOut(): Buffer {
    return Buffer.concat(this.out.splice(0))
  }

  /** A turn on a connection that is linked already. */
  begin(connection: ServerConnection, ...chunks: readonly Buffer[]): void {
    this.relay.begin(connection, undefined, chunks)
  }

  /** A turn that begins with a link. */
  beginLinking(connection: ServerConnection, ...chunks: readonly Buffer[]): void {
    this.relay.begin(connection, connection.beginLink(ACME), chunks)
  }
}

export function freshServer(maxPreparedStatements = 10): {
  readonly server: FakeServer
  readonly connection: ServerConnection
} {
  const server = new FakeServer()
  return { server, connection: server.connection({ maxPreparedStatements }) }
}
