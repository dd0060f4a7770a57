import type { RouteRequest } from '../../catalog/catalog.ts'
import type { FileCatalog } from '../../catalog/file-catalog.ts'
import type { Explanation, Finding } from '../../catalog/layers/layered-catalog.ts'

/** What a request leads to where the file is all of the catalog. */
export async function explainFromFile(
  catalog: FileCatalog,
  request: RouteRequest,
): Promise<Explanation> {
  const { login, tenant } = request
  const grant = catalog.grant(login) ?? catalog.grantOfOthers
  const found = catalog.tenant(tenant) ?? catalog.templateTenant(tenant)
  const asListed = { layer: 'file', isStale: false, ageMs: 0 } as const
  const resultOf = (thing: unknown) => (thing === undefined ? 'absent' : 'found')
  const findings: readonly Finding[] = [
    { ...asListed, kind: 'login', name: login, result: resultOf(grant), version: 0 },
    {
      ...asListed,
      kind: 'tenant',
      name: tenant,
      result: resultOf(found),
      version: found?.version ?? 0,
    },
  ]
  return { resolution: await catalog.resolve(request), findings }
}
