import { on } from 'node:events'
import t, { type Test } from 'tap'
import type { ServerTarget } from '../../src/catalog/route.ts'
import { openServer } from '../../src/server/open/login.ts'
import { query } from '../../src/wire/frontend-messages.ts'
import { MessageBuffer } from '../../src/wire/message-buffer.ts'
import { BackendCode } from '../../src/wire/message-codes.ts'
import { type PostgresServer, sql, startPostgres } from '../support/postgres.ts'

const TIMEOUT_MS = 20_000
const MAJORS = [15, 18] as const
const METHODS = ['trust', 'password', 'md5', 'scram-sha-256'] as const

/** `ﬁ` is one character that SASLprep spells in two, so that a client which skips it fails. */
const PASSWORD = "o'ﬁve Ünï"

for (const major of MAJORS) {
  t.test(`Postgres ${major}`, async (t) => {
    const postgres = await startPostgres({
      major,
      auth: 'scram-sha-256',
      hba: METHODS.map((method) => `host all by_${method.replaceAll('-', '_')} all ${method}`),
    })
    t.teardown(() => postgres.stop())
    await createLogins(postgres)
    for (const method of METHODS) await testMethod(t, postgres, method)
    await testRefusals(t, postgres)
    await testSocket(t, postgres)
  })
}

async function testMethod(t: Test, postgres: PostgresServer, method: string): Promise<void> {
  const target = targetOf(postgres, { user: `by_${method.replaceAll('-', '_')}` })

  await t.test(`logs in by ${method}`, async (t) => {
    const startupParameters = [['application_name', `usher ${method}`]] as const
    const opened = await openServer(target, { startupParameters, timeoutMs: TIMEOUT_MS })
    t.teardown(() => opened.socket.destroy())
    t.equal(opened.parameters.get('application_name'), `usher ${method}`)
    t.equal(opened.parameters.get('session_authorization'), target.user)
    t.equal(opened.secretKey.length, 4)
    t.equal(opened.rest.length, 0)
    t.equal(await ask(opened.socket, 'select pg_backend_pid()'), String(opened.processId))
  })

  if (method === 'trust') return
  await t.test(`a wrong password by ${method} is permanent`, async (t) => {
    const outcome = open({ ...target, password: 'wrong' })
    await t.rejects(outcome, { ...LOGIN_FAILED, serverSqlState: '28P01', isPermanent: true })
  })
}

const LOGIN_FAILED = { code: 'SERVER_LOGIN_FAILED' }

async function testRefusals(t: Test, postgres: PostgresServer): Promise<void> {
  await t.test('refusals carry the SQLSTATE of the server', async (t) => {
    const user = 'by_trust'
    await t.rejects(open(targetOf(postgres, { user, database: 'nowhere' })), {
      ...LOGIN_FAILED,
      serverSqlState: '3D000',
      isPermanent: true,
    })
    await t.rejects(open(targetOf(postgres, { user: 'full' })), {
      ...LOGIN_FAILED,
      serverSqlState: '53300',
      isPermanent: false,
    })
  })

  await t.test('a bad startup parameter fails the login', async (t) => {
    const startupParameters = [['no_such_setting', '1']] as const
    const target = targetOf(postgres, { user: 'by_trust' })
    const outcome = openServer(target, { startupParameters, timeoutMs: TIMEOUT_MS })
    await t.rejects(outcome, { ...LOGIN_FAILED, serverSqlState: '42704', isPermanent: false })
  })
}

async function testSocket(t: Test, postgres: PostgresServer): Promise<void> {
  await t.test('logs in through the unix socket', async (t) => {
    const target = targetOf(postgres, { host: postgres.socketDir, user: 'by_scram_sha_256' })
    const { socket } = await open(target)
    t.teardown(() => socket.destroy())
    t.equal(await ask(socket, 'select inet_server_addr() is null'), 't')
  })
}

async function createLogins(postgres: PostgresServer): Promise<void> {
  const quoted = `'${PASSWORD.replaceAll("'", "''")}'`
  await sql(
    postgres,
    'postgres',
    `set password_encryption = 'md5';
     create role by_md5 login password ${quoted};
     set password_encryption = 'scram-sha-256';
     create role by_trust login;
     create role by_password login password ${quoted};
     create role by_scram_sha_256 login password ${quoted};
     create role "full" login password ${quoted} connection limit 0;`,
  )
}

function targetOf(postgres: PostgresServer, changes: Partial<ServerTarget>): ServerTarget {
  const { host, port } = postgres
  return {
    host,
    port,
    database: 'postgres',
    user: 'nobody',
    password: PASSWORD,
    tls: undefined,
    ...changes,
  }
}

function open(target: ServerTarget) {
  return openServer(target, { startupParameters: [], timeoutMs: TIMEOUT_MS })
}

/** The single field that `text` returns, read from the socket as it was handed over. */
async function ask(
  socket: Awaited<ReturnType<typeof open>>['socket'],
  text: string,
): Promise<string> {
  socket.write(query(text))
  const messages = new MessageBuffer(65_536)
  let answer = ''
  socket.resume()
  for await (const [chunk] of on(socket, 'data', { close: ['close'] })) {
    messages.push(chunk)
    for (let found = messages.next(); found !== undefined; found = messages.next()) {
      if (found.code === BackendCode.dataRow) answer = found.body.toString('utf8', 6)
      if (found.code === BackendCode.readyForQuery) return answer
    }
  }
  throw new Error('the server closed the connection')
}
