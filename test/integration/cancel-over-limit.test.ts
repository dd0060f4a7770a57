import t from 'tap'
import { sql } from '../support/postgres.ts'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { keyOf, query, RawClient, sendCancel, sqlStates, startup } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'
import { until } from '../support/until.ts'

const server = await startSaas(18)
t.teardown(() => server.stop())

t.test('a full proxy still takes cancel requests, and no more of them than it may', async (t) => {
  const limits = { maxClients: 1, maxCancels: 2 }
  const proxy = await startTestProxy(saasSettings(server, { limits, timeouts: { startupMs: 500 } }))
  t.teardown(() => proxy.stop())
  const client = await RawClient.connect(proxy.port)
  const key = keyOf(await client.logIn({ user: 'app.globex', password: PASSWORD }))
  client.send(query('SELECT pg_sleep(60)'))
  await until(async () => {
    const text = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`
    return (await sql(server, 'postgres', text)).length === 1
  })

  const starter = await RawClient.connect(proxy.port)
  starter.send(startup({ user: 'app.globex' }))
  t.strictSame(sqlStates(await starter.toEnd()), ['53300'], 'a session is refused')
  t.match(proxy.log(), /TOO_MANY_CLIENTS/)

  const idlers = await Promise.all([RawClient.connect(proxy.port), RawClient.connect(proxy.port)])
  const third = await RawClient.connect(proxy.port)
  t.strictSame(sqlStates(await third.toEnd()), ['53300'], 'at once, without a word of its own')
  for (const idler of idlers) {
    t.strictSame(sqlStates(await idler.toEnd()), ['57014'], 'nobody holds such a place for long')
  }

  await sendCancel(proxy.port, key)
  t.strictSame(sqlStates(await client.upTo('Z')), ['57014'])
  t.equal(await proxy.metric('pgusher_client_connections'), 1)
  await client.end()
})
