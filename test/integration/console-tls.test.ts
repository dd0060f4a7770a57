import t from 'tap'
import { runPsql } from '../support/psql.ts'
import { startTlsHouse } from './client-tls-fixture.ts'
import { ADMIN, CONSOLE } from './console-fixture.ts'

const house = await startTlsHouse(t)

for (const libpq of [15, 18] as const) {
  t.test(`operators come over TLS, bound to it, with libpq ${libpq}`, async (t) => {
    const proxy = await house.proxyWith(t, {
      console: CONSOLE,
      auth: { channelBinding: 'require' },
      tls: { client: { ...house.client, mode: 'require' } },
    })
    const common = { host: '127.0.0.1', port: proxy.port, dbname: 'pgusher' }
    const connection = {
      ...{ ...common, user: ADMIN.user, password: ADMIN.password },
      sslmode: 'verify-full',
      sslrootcert: house.authority.caFile,
      channel_binding: 'require',
    }
    const run = (changes: object) =>
      runPsql({ connection: { ...connection, ...changes }, sql: 'SHOW VERSION', libpq })
    t.match((await run({})).stdout, /^PgUsher /)
    t.match((await run({ password: 'guess' })).stderr, /password authentication failed/)
    const plain = await run({ sslmode: 'disable', channel_binding: 'disable' })
    t.match(plain.stderr, /the connection is not encrypted/)
  })
}
