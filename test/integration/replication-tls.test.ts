import t, { type Test } from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { sql } from '../support/postgres.ts'
import { startTestProxy } from '../support/proxy.ts'
import { keyOf, query, type RawClient, rows, sendCancel, sqlStates } from '../support/raw-client.ts'
import {
  firstValue,
  nextChange,
  type Replicating,
  replicationLogin,
  startReplicatingSaas,
  streamChanges,
  untilQuiet,
} from '../support/replicating.ts'
import { tlsClient } from '../support/tls-client.ts'

const BIG_BYTES = 16 * 1024 * 1024
const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const own = await authority.issue({ commonName: 'server', altNames: ['IP:127.0.0.1'] })

for (const major of [15, 18] as const) {
  t.test(`TLS on both sides, Postgres ${major}`, async (t) => {
    const server = await startReplicatingSaas(major, {
      settings: { ssl: 'on' },
      hba: ['hostnossl all all all reject', 'hostnossl replication all all reject'],
      files: { 'server.crt': own.cert, 'server.key': own.key },
    })
    t.teardown(() => server.stop())
    const url = server.url('umbrella', { user: 'umbrella', password: 'umbrella' })
    const databaseUrl = `${url}?sslmode=verify-full&sslrootcert=${authority.caFile}`
    const proxy = await startTestProxy({
      tls: { client: { cert: own.certFile, key: own.keyFile, mode: 'require' } },
      tenants: [{ name: 'umbrella', strategy: 'database', databaseUrl, replication: 'physical' }],
    })
    t.teardown(() => proxy.stop())
    for (const mode of ['database', 'true']) {
      await t.test(`replication=${mode}`, (t) => inTls(t, { proxy, server }, mode))
    }
  })
}

async function inTls(t: Test, house: Replicating, mode: string): Promise<void> {
  const { proxy, server } = house
  const client = await tlsClient(proxy.port, { ca: authority.own.cert, host: '127.0.0.1' })
  const key = keyOf(await client.logIn(replicationLogin('umbrella', mode)))
  t.match(await firstValue(client, 'IDENTIFY_SYSTEM'), /^\d+$/)
  if (mode === 'database') {
    t.strictSame(rows(await client.ask(query(IS_ENCRYPTED))), ['t'])
    await streamChanges(client, 'encrypted')
    const message = `SELECT pg_logical_emit_message(false, 'big', repeat('z', ${BIG_BYTES}))`
    await sql(server, 'umbrella', message)
    const change = await nextChange(client)
    t.ok(change.endsWith('z'.repeat(1000)))
    t.ok(change.length > BIG_BYTES)
  } else {
    await streamLog(client)
  }
  await sendCancel(proxy.port, key)
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'], 'a cancel finds its way')
  await client.end()
  await untilQuiet(house)
}

async function streamLog(client: RawClient): Promise<void> {
  const identity = rows(await client.ask(query('IDENTIFY_SYSTEM')))[0]?.split('|') ?? []
  client.send(query(`START_REPLICATION PHYSICAL ${identity[2]} TIMELINE ${identity[1]}`))
  await client.upTo('W')
}
