import type { PoolView, ServerView } from '../../../pool/server-view.ts'
import type { SessionView } from '../../../session/session-view.ts'
import type { ConsoleSources } from '../console-sources.ts'
import { type Column, columns, type Row } from '../table.ts'
import { momentOf, waitColumns } from './moments.ts'
import { databaseOf } from './pool-places.ts'

const CONNECTION_COLUMNS: readonly Column[] = [
  ...columns('text', 'type user database replication state addr'),
  ...columns('int4', 'port'),
  ...columns('text', 'local_addr'),
  ...columns('int4', 'local_port'),
  ...columns('text', 'connect_time request_time'),
  ...columns('int4', 'wait wait_us close_needed'),
  ...columns('text', 'ptr link'),
  ...columns('int4', 'remote_pid'),
  ...columns('text', 'tls application_name'),
  ...columns('int4', 'prepared_statements'),
  ...columns('int8', 'id'),
]

export const CLIENT_COLUMNS: readonly Column[] = CONNECTION_COLUMNS

export const SERVER_COLUMNS: readonly Column[] = [
  ...CONNECTION_COLUMNS,
  ...columns('text', 'tenant'),
]

export const PIN_COLUMNS: readonly Column[] = [
  ...columns('int8', 'id'),
  ...columns('text', 'tenant user reason application_name'),
  ...columns('int8', 'server_id'),
  ...columns('int4', 'age'),
]

/** States of a session in which it waits for a server connection, or for its tenant's place. */
const WAITING: ReadonlySet<SessionView['state']> = new Set([
  'waiting',
  'moving',
  'switching',
  'crossing',
])

const SERVER_STATES: Readonly<Record<ServerView['state'], string>> = {
  idle: 'idle',
  active: 'active',
  canceling: 'being_canceled',
  resetting: 'tested',
}

export function clientRows(sources: ConsoleSources): readonly Row[] {
  return sources.sessions().map(clientRow)
}

export function serverRows(sources: ConsoleSources): readonly Row[] {
  const holders = new Map(sources.sessions().map((session) => [session.serverId, session]))
  return sources
    .pools()
    .flatMap((pool) => pool.servers().map((server) => serverRow(pool, server, holders)))
}

/** A row for each reason for which a client keeps its server connection. */
export function pinRows(sources: ConsoleSources): readonly Row[] {
  return sources.sessions().flatMap(({ id, tenant, login, pins, ...session }) =>
    pins.map((reason) => ({
      id,
      tenant,
      user: login,
      reason,
      application_name: session.applicationName,
      server_id: session.serverId,
      age: Math.floor(session.ageMs / 1000),
    })),
  )
}

/** What a client is doing, in PgBouncer's words where it has one. */
export function clientState({ state, serverId }: SessionView): 'waiting' | 'active' | 'idle' {
  if (WAITING.has(state)) return 'waiting'
  return serverId === undefined ? 'idle' : 'active'
}

function clientRow(session: SessionView): Row {
  const { id, login, tenant, client, local, ageMs, requestAgeMs = ageMs, serverId } = session
  return {
    type: 'C',
    user: login,
    database: tenant,
    replication: session.isReplication ? 'yes' : 'none',
    state: clientState(session),
    addr: client?.address ?? 'unix',
    port: client?.port ?? 0,
    local_addr: local?.address ?? 'unix',
    local_port: local?.port ?? 0,
    connect_time: momentOf(ageMs),
    request_time: momentOf(requestAgeMs),
    ...waitColumns(session.waitMs),
    close_needed: 0,
    ptr: clientName(id),
    link: serverId === undefined ? '' : serverName(serverId),
    remote_pid: 0,
    tls: session.tls,
    application_name: session.applicationName,
    prepared_statements: session.preparedStatements,
    id,
  }
}

function serverRow(
  pool: PoolView,
  server: ServerView,
  holders: ReadonlyMap<number | undefined, SessionView>,
): Row {
  const { id, ageMs, requestAgeMs } = server
  const holder = holders.get(id)
  return {
    type: 'S',
    user: pool.user,
    database: databaseOf(pool),
    replication: 'none',
    state: SERVER_STATES[server.state],
    addr: pool.host,
    port: pool.port,
    local_addr: '',
    local_port: 0,
    connect_time: momentOf(ageMs),
    request_time: momentOf(requestAgeMs),
    wait: 0,
    wait_us: 0,
    close_needed: server.isLeaving ? 1 : 0,
    ptr: serverName(id),
    link: holder === undefined ? '' : clientName(holder.id),
    remote_pid: server.processId,
    tls: server.isEncrypted ? 'TLS' : '',
    application_name: holder?.applicationName ?? '',
    prepared_statements: server.preparedStatements,
    id,
    tenant: server.tenant,
  }
}

function clientName(id: number): string {
  return `c${id}`
}

function serverName(id: number): string {
  return `s${id}`
}
