import type { ProxyError } from '../../src/base/proxy-error.ts'
import type { EffectsPolicy } from '../../src/relay/effects-watch.ts'
import { Relay, type RelayListener } from '../../src/relay/relay.ts'
import { RequestStream } from '../../src/relay/request-stream.ts'
import { StatementTable } from '../../src/relay/statement-table.ts'
import type { ServerConnection } from '../../src/server/server-connection.ts'
import type { SessionFacts } from '../../src/server/session-facts.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { FakeServer } from '../support/fake-server.ts'

const ACME = linkOf('acme')

/** A client, its relay, and the server connections that it gets in turn. */
export class RelayRig {
  readonly out: Buffer[] = []
  readonly turns: string[] = []
  error: ProxyError | undefined
  facts: SessionFacts | undefined
  isPaused = false
  isWelcome = true
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
    this.requests = new RequestStream({
      statements: { table, family: table.family(ACME.tenantKey), limits },
      effects: { link: ACME, refusal },
    })
    const client = {
      write: (bytes: Buffer) => {
        this.out.push(bytes)
        return this.isWelcome
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
