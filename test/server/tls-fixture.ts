import type { Socket } from 'node:net'
import type { Test } from 'tap'
import { parseServerUrl } from '../../src/catalog/documents/server-url.ts'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { type OpenedServer, openServer } from '../../src/server/open/login.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import { MessageBuffer, type WireMessage } from '../../src/wire/message-buffer.ts'
import { readErrorFields } from '../../src/wire/message-fields.ts'
import type { CertificateFiles } from '../support/certificates.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'

export const TIMEOUT_MS = 20_000
export const PASSWORD = 'open sesame'
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const IS_ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'

/** The names under which a server of the tests is reached. */
export const LOCAL_NAMES = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1']

/** What the error says when a server's certificate comes from nobody that we trust. */
export const UNVERIFIED = /TLS: .*certificate/
/** What it says when a login would not be bound to the channel. */
export const UNBOUND = /channel_binding=require/

/** Users are named for the way by which pg_hba.conf lets them in. */
const HBA = [
  'hostssl all only_tls all scram-sha-256',
  'hostnossl all only_plain all scram-sha-256',
  'hostssl all by_certificate all cert',
  'hostssl all with_certificate all scram-sha-256 clientcert=verify-full',
  'hostssl all clear all password',
  'host all trusted all trust',
  'host all only_tls,only_plain,by_certificate,with_certificate,clear all reject',
  'host all either all scram-sha-256',
]
const USERS = [
  'only_tls',
  'only_plain',
  'by_certificate',
  'with_certificate',
  'clear',
  'trusted',
  'either',
]

/** One login, and what comes of it. */
export interface Row {
  readonly user: string
  /** Behind the `?` of the URL. */
  readonly parameters: string
  readonly host?: string
  /** Encrypted or plain when it went through; else what its error says. */
  readonly expects: 'tls' | 'plain' | RegExp
}

/** What a server shows, and whom it believes in. */
export interface ServerCertificates {
  readonly own: CertificateFiles
  /** The authority of its clients. */
  readonly clients: CertificateFiles
}

/** A Postgres that does TLS, with the users. */
export async function startTlsPostgres(
  t: Test,
  major: 15 | 18,
  { own, clients }: ServerCertificates,
): Promise<PostgresServer> {
  const postgres = await startPostgres({
    major,
    auth: 'scram-sha-256',
    settings: { ssl: 'on', ssl_ca_file: 'ca.crt' },
    hba: HBA,
    files: {
      'server.crt': own.cert,
      'server.key': own.key,
      'ca.crt': clients.cert,
    },
  })
  t.teardown(() => postgres.stop())
  await createUsers(postgres)
  return postgres
}

export async function createUsers(postgres: PostgresServer): Promise<void> {
  for (const user of USERS) {
    await sql(postgres, 'postgres', `create role ${user} login password '${PASSWORD}'`)
  }
}

export async function testRow(t: Test, postgres: PostgresServer, row: Row): Promise<void> {
  await t.test(`${row.user} by ${row.parameters}`, async (t) => {
    const target = targetOf(postgres, row)
    const opened = await open(target).catch((error: Error) => error)
    if (opened instanceof Error) {
      if (typeof row.expects === 'string') throw opened
      t.match(opened.message, row.expects)
      return
    }
    t.teardown(() => opened.socket.destroy())
    if (typeof row.expects !== 'string') throw new Error('the login went through')
    t.equal(await ask(opened.socket, IS_ENCRYPTED), row.expects === 'tls' ? 't' : 'f')
    t.equal(opened.isEncrypted, row.expects === 'tls')
  })
}

export function open(target: ServerTarget): Promise<OpenedServer> {
  return openServer(target, { startupParameters: [], timeoutMs: TIMEOUT_MS })
}

export function targetOf(
  { port }: PostgresServer,
  { user, parameters, host = '127.0.0.1' }: Pick<Row, 'user' | 'parameters' | 'host'>,
): ServerTarget {
  const encoded = encodeURIComponent(PASSWORD)
  const result = parseServerUrl(
    `postgresql://${user}:${encoded}@${host}:${port}/postgres?${parameters}`,
  )
  if (result.kind === 'problem') throw new Error(result.finding.message)
  return result.target
}

/** The first column of the first row of a query's answer, or the SQLSTATE of its error. */
export async function ask(socket: Socket, text: string): Promise<string | undefined> {
  socket.write(query(text))
  const messages = await replies(socket)
  const row = messages.find(({ code }) => code === 0x44)
  const error = messages.find(({ code }) => code === 0x45)
  return error ? readErrorFields(error.body).get('C') : row?.body.subarray(6).toString()
}

/** All messages up to ReadyForQuery. */
async function replies(socket: Socket): Promise<readonly WireMessage[]> {
  const buffer = new MessageBuffer(MAX_MESSAGE_BYTES)
  const seen: WireMessage[] = []
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      buffer.push(chunk)
      for (let found = buffer.next(); found !== undefined; found = buffer.next()) {
        seen.push({ code: found.code, body: Buffer.from(found.body) })
      }
      if (seen.at(-1)?.code !== 0x5a) return
      socket.off('data', onData).off('error', reject)
      socket.pause()
      resolve(seen)
    }
    socket.on('data', onData).on('error', reject)
    socket.resume()
  })
}
