import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { silentLogger } from '../../src/base/logger.ts'
import type { CatalogChange } from '../../src/catalog/change.ts'
import type { Route } from '../../src/catalog/route.ts'
import { IdlePools } from '../../src/session/follow/idle-pools.ts'
import type { TenantName } from '../../src/tenancy/tenant-name.ts'
import { SlowCatalog } from './follow-fixture.ts'

const ALL: CatalogChange = { kind: 'all', version: undefined }

function routeOf(tenant: string, version = 1): Route {
  return { login: 'app', tenant, version } as unknown as Route
}

function rig(routes: readonly Route[]) {
  const catalog = new SlowCatalog()
  const settled: (readonly [string, number | undefined])[] = []
  const idle = new IdlePools({
    catalog,
    logger: silentLogger,
    pools: {
      lastRoutes: (tenant?: TenantName) =>
        routes.filter((route) => tenant === undefined || route.tenant === tenant),
      settle: (route, now) => void settled.push([route.tenant, now?.version]),
    },
  })
  return { catalog, settled, idle }
}

t.test('the pools of a changed tenant are settled by what the catalog says now', async (t) => {
  const { catalog, settled, idle } = rig([routeOf('acme'), routeOf('globex')])
  idle.heard({ kind: 'name', name: { kind: 'tenant', name: 'acme' }, version: 7 })
  t.strictSame(catalog.takeAsked(), ['app.acme'])
  const secret = { kind: 'none' } as const
  catalog.answers({ kind: 'route', route: routeOf('acme', 2), secret, isSuspended: false })
  await turn()
  t.strictSame(settled, [['acme', 2]])
  idle.heard({ kind: 'name', name: { kind: 'login', name: 'app' }, version: 8 })
  t.strictSame(catalog.takeAsked(), [], 'a login has no pool of its own')
})

t.test('a suspended or dropped tenant is led nowhere', async (t) => {
  const { catalog, settled, idle } = rig([routeOf('acme'), routeOf('globex')])
  idle.heard(ALL)
  t.strictSame(catalog.takeAsked(), ['app.acme', 'app.globex'])
  const secret = { kind: 'none' } as const
  catalog.answers({ kind: 'route', route: routeOf('acme'), secret, isSuspended: true })
  catalog.answers({ kind: 'refused', reason: 'unknownTenant', secret: undefined })
  await turn()
  t.strictSame(settled, [
    ['acme', undefined],
    ['globex', undefined],
  ])
})

t.test('asked about a few at a time, once each, and not after the end', async (t) => {
  const { catalog, settled, idle } = rig(['a', 'b', 'c', 'd'].map((name) => routeOf(name)))
  idle.heard(ALL)
  idle.heard(ALL)
  t.strictSame(catalog.takeAsked(), ['app.a', 'app.b'])
  catalog.answers({ kind: 'refused', reason: 'unknownTenant', secret: undefined })
  await turn()
  t.strictSame(catalog.takeAsked(), ['app.c'])
  t.equal(settled.length, 1)
  idle.stop()
  catalog.answers({ kind: 'refused', reason: 'unknownTenant', secret: undefined })
  await turn()
  t.strictSame(catalog.takeAsked(), [])
})
