import t from 'tap'
import { runPsql } from '../support/psql.ts'
import { until } from '../support/until.ts'
import { LOGIN, OWNER, refusals, startTlsHouse } from './client-tls-fixture.ts'

const house = await startTlsHouse(t)
const { client, authority, stranger } = house

t.test('node-postgres', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client: { ...client, mode: 'require' } } })
  const ssl = { ca: authority.own.cert }
  const pg = await proxy.connect('globex', { host: 'localhost', ssl })
  t.strictSame((await pg.query(OWNER)).rows, [{ owner: 'globex' }])
  await pg.end()
  await t.rejects(proxy.connect('globex', { ssl: { ca: stranger.own.cert } }))
  await t.rejects(proxy.connect('globex'), { code: '28000' })
})

const MODES: readonly [libpq: 15 | 18, connection: Record<string, string>][] = [
  [15, { sslmode: 'require' }],
  [15, { sslmode: 'verify-full', sslrootcert: authority.caFile }],
  [
    15,
    { sslmode: 'verify-full', sslrootcert: authority.caFile, ssl_min_protocol_version: 'TLSv1.3' },
  ],
  [18, { sslmode: 'verify-full', sslrootcert: authority.caFile }],
  [18, { sslmode: 'require', sslnegotiation: 'direct' }],
  [
    18,
    {
      sslmode: 'verify-full',
      sslrootcert: authority.caFile,
      sslnegotiation: 'direct',
      min_protocol_version: '3.2',
    },
  ],
]
t.test('psql', async (t) => {
  const proxy = await house.proxyWith(t, { tls: { client: { ...client, mode: 'require' } } })
  const login = { host: 'localhost', port: proxy.port, dbname: 'any', ...LOGIN }
  for (const [libpq, options] of MODES) {
    const connection = { ...login, ...options }
    const { stdout, stderr } = await runPsql({ libpq, connection, sql: OWNER })
    const name = `libpq ${libpq}, ${Object.values(options).join(', ')}`
    t.strictSame({ stdout, stderr }, { stdout: 'globex', stderr: '' }, name)
  }
  const refused: readonly [Record<string, string>, RegExp][] = [
    [{ sslmode: 'disable' }, /not encrypted/],
    [{ sslmode: 'verify-full', sslrootcert: stranger.caFile }, /certificate verify failed/],
  ]
  for (const [options, text] of refused) {
    const connection = { ...login, ...options }
    const { exitCode, stderr } = await runPsql({ libpq: 15, connection, sql: OWNER })
    t.equal(exitCode, 2)
    t.match(stderr, text)
  }
  await until(() => refusals(proxy).length === 2)
  t.strictSame(refusals(proxy), ['TLS_REQUIRED', 'TLS_HANDSHAKE_FAILED'])
})
