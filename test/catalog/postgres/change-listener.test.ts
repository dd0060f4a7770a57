import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../../src/base/clock.ts'
import { silentLogger } from '../../../src/base/logger.ts'
import type { CatalogChange } from '../../../src/catalog/change.ts'
import { ChangeListener } from '../../../src/catalog/postgres/change-listener.ts'
import { parseChange } from '../../../src/catalog/postgres/change-payload.ts'
import { openSocket } from '../../../src/server/open/open-socket.ts'
import { failOnLeaks } from '../../support/leaks.ts'
import type { PostgresServer } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'
import { type Owner, startCatalogs, targetOf } from './catalog-fixture.ts'

const ALL = { kind: 'all', version: undefined } as const

const PAYLOADS: readonly (readonly [string, CatalogChange])[] = [
  ['all 17', { kind: 'all', version: 17 }],
  ['tenant acme 17', named('tenant', 'acme', 17)],
  ['tenant acme', named('tenant', 'acme', undefined)],
  ['login app 17', named('login', 'app', 17)],
  ['login some user 7 17', named('login', 'some user 7', 17)],
  ['login two\nlines 17', named('login', 'two\nlines', 17)],
  ['login all 17', named('login', 'all', 17)],
  ['tenant acme 9007199254740993', named('tenant', 'acme', undefined)],
  ...[
    '',
    'all',
    'all x',
    'tenant',
    'tenant Acme 17',
    'tenant acme x',
    'tenant eu-* 17',
    'tenant acme 17 18',
    'login app',
    'server shared 17',
    ' all 17',
  ].map((payload) => [payload, ALL] as const),
]

function named(kind: 'tenant' | 'login', name: string, version: number | undefined): CatalogChange {
  return { kind: 'name', name: { kind, name }, version }
}

for (const [payload, change] of PAYLOADS) {
  t.test(`reads ${JSON.stringify(payload)}`, async (t) => {
    t.strictSame(parseChange(payload), change)
  })
}

/** A listener whose changes can be waited for. */
function listenTo(t: Owner, server: PostgresServer) {
  const told: CatalogChange[] = []
  const logged: string[] = []
  const log = (event: string) => void logged.push(event)
  const events = new EventEmitter()
  const listener = new ChangeListener(
    { target: targetOf(server), timeoutMs: 300, heartbeatMs: 50 },
    {
      clock: systemClock,
      logger: { ...silentLogger, warn: log, info: log },
      openSocket,
      told(change) {
        told.push(change)
        events.emit('told')
      },
    },
  )
  t.teardown(() => listener.close())
  return { listener, told, logged, next: () => once(events, 'told') }
}

for (const { major, server, client } of await startCatalogs(t)) {
  const listeners = async () => {
    const { rows } = await client.query(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgusher-catalog'`,
    )
    return rows.map(({ pid }) => Number(pid))
  }

  t.test(`${major}: changes are told, and nothing at the start`, async (t) => {
    failOnLeaks(t)
    const { listener, told, next } = listenTo(t, server)
    t.equal(listener.isUp, false)
    await listener.start()
    t.equal(listener.isUp, true)
    const first = next()
    await client.query(`INSERT INTO pgusher.logins ("user") VALUES ('some user ${major}')`)
    await first
    t.match(told, [named('login', `some user ${major}`, 2)])
    const second = next()
    await client.query(`NOTIFY pgusher, 'tenant acme'`)
    await second
    t.match(told[1], named('tenant', 'acme', undefined))
    listener.close()
    await until(() => !listener.isUp)
    await until(async () => (await listeners()).length === 0)
  })

  t.test(`${major}: after a lost connection all may have changed`, async (t) => {
    const { listener, told, next } = listenTo(t, server)
    await listener.start()
    const again = next()
    await client.query('SELECT pg_terminate_backend($1)', [(await listeners())[0]])
    await until(() => !listener.isUp)
    await again
    t.equal(listener.isUp, true)
    t.strictSame(told, [ALL])
    const change = next()
    await client.query(`NOTIFY pgusher, 'all 5'`)
    await change
    t.strictSame(told[1], { kind: 'all', version: 5 })
  })

  t.test(`${major}: a server that hangs is noticed`, async (t) => {
    const { listener, told, next } = listenTo(t, server)
    await listener.start()
    const pids = [server.pid, ...(await listeners())]
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      await until(() => !listener.isUp)
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
    await next()
    t.equal(listener.isUp, true)
    t.strictSame(told, [ALL])
  })

  t.test(`${major}: a server that is not there at the start`, async (t) => {
    failOnLeaks(t)
    await client.end()
    await server.halt()
    const { listener, told, logged } = listenTo(t, server)
    await listener.start()
    t.equal(listener.isUp, false)
    await server.restart()
    await until(() => told.length > 0)
    t.strictSame(logged, ['catalog changes not heard', 'catalog changes heard'], 'once an outage')
    t.equal(listener.isUp, true)
    t.strictSame(told, [ALL])
    listener.close()
  })
}
