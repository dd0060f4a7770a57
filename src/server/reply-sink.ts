import type { ProxyError } from '../base/proxy-error.ts'
import type { SessionFacts } from './session-facts.ts'

/**
 * Who a server connection's replies go to for the length of a lease. Bytes enter the process at
 * the sockets, so this is one of the few places where a lower room delivers to a higher one: it
 * says what it has to give and knows nothing of who takes it.
 */
export interface ReplySink {
  /** Bytes for the client, in order. The memory may be kept. */
  replyBytes(bytes: Buffer): void
  /** The link is acknowledged: bytes may follow it freely. */
  linked(): void
  /** What the session holds, as it was asked for; `undefined` when the server could not say. */
  factsTold(facts: SessionFacts | undefined): void
  /** A statement's plan no longer fits its tables: statements have to be prepared anew. */
  plansChanged(): void
  /** The client had the server forget every prepared statement: `DISCARD ALL`, `DEALLOCATE ALL`. */
  statementsDropped(): void
  /** An error goes to the client: the server's own, or what the proxy says in place of it. */
  errorReported(sqlState: string, origin: 'server' | 'proxy'): void
  /** ReadyForQuery has come and no reply is owed. The bytes up to it were handed over before. */
  settled(): void
  /** The server takes bytes again after `write` said that it is full. */
  drained(): void
  /** The connection is gone; nothing follows. */
  lost(error: ProxyError): void
}
