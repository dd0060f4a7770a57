import t from 'tap'
import type { LogFields, Logger } from '../../../src/base/logger.ts'
import { blindPoolObserver } from '../../../src/pool/pool-observer.ts'
import { ServerLoginError, ServerUnreachableError } from '../../../src/server/server-errors.ts'
import { logPools } from '../../../src/telemetry/log/pool-log.ts'

const AT = { host: 'db', port: 5432 }

function rig() {
  const lines: [string, string, LogFields | undefined][] = []
  const note = (weight: string) => (event: string, fields?: LogFields) => {
    lines.push([weight, event, fields])
  }
  const logger: Logger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    isDebugging: () => true,
  }
  const said = () =>
    lines.splice(0).map(([weight, event, fields]) => ({ weight, event, ...fields }))
  return { observer: logPools(blindPoolObserver, logger), said }
}

t.test('an outage is told of once, and so is its end', async (t) => {
  const { observer, said } = rig()
  const error = new ServerUnreachableError(AT, { reason: 'refused' })
  for (let count = 0; count < 3; count += 1) observer.serverFailed('app@db/saas', error)
  observer.serverFailed('other@db/saas', error)
  t.match(said(), [
    { weight: 'warn', event: 'server connection failed', pool: 'app@db/saas' },
    { weight: 'warn', event: 'server connection failed', pool: 'other@db/saas' },
  ])
  observer.serverOpened('app@db/saas', 3.4)
  observer.serverOpened('app@db/saas', 3.4)
  t.match(
    said().map(({ event }) => event),
    ['server reached again', 'server connection opened', 'server connection opened'],
  )
  observer.serverFailed('app@db/saas', error)
  t.match(said(), [{ code: 'SERVER_UNREACHABLE', detail: /refused/ }])
})

t.test('another failure of the same pool is news', async (t) => {
  const { observer, said } = rig()
  observer.serverFailed('app@db/saas', new ServerUnreachableError(AT, { reason: 'refused' }))
  observer.serverFailed('app@db/saas', new Error('broken'))
  t.match(said(), [{ code: 'SERVER_UNREACHABLE' }, { code: undefined, detail: 'broken' }])
})

t.test('a setting of one client that the server refuses is no outage', async (t) => {
  const { observer, said } = rig()
  const refusal = { reason: 'no', serverSqlState: '22023', isPermanent: true }
  observer.serverFailed('app@db/saas', new ServerLoginError(AT, refusal))
  t.strictSame(said(), [])
})

t.test('who has left its place is an error', async (t) => {
  const { observer, said } = rig()
  observer.violated('acme', 'role')
  t.match(said(), [
    { weight: 'error', event: 'tenant left its place', tenant: 'acme', kind: 'role' },
  ])
})
