import t from 'tap'
import { SqlState } from '../../src/base/sql-state.ts'
import { PASSWORD, startTestProxy } from '../support/proxy.ts'
import { frame, query, RawClient, sqlStates } from '../support/raw-client.ts'
import { saasSettings, startSaas } from '../support/saas.ts'

const CHUNKS = 500

t.test('a client that goes on speaking hears why its session ends', async (t) => {
  const server = await startSaas(18)
  t.teardown(() => server.stop())
  const proxy = await startTestProxy(saasSettings(server))
  t.teardown(() => proxy.stop())
  for (const tenant of ['acme', 'globex', 'initech']) {
    const client = await RawClient.login(proxy.port, { user: `app.${tenant}`, password: PASSWORD })
    // It looks up from its work when everything is said.
    client.socket.pause()
    client.send(query('SELECT 1'), frame('!'))
    for (let sent = 0; sent < CHUNKS && !client.isClosed; sent++) {
      client.send(Buffer.alloc(1024))
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.resume()
    t.strictSame(sqlStates(await client.toEnd()), [SqlState.protocolViolation], tenant)
  }
})
