import type { ProblemReport } from './problem-report.ts'
import { loginKey, type PlacedTenant, serverUsers } from './tenant-overlaps.ts'

/** Reports the server logins of single tenants that other tenants use as well. */
export function checkOwnLogins(tenants: readonly PlacedTenant[], report: ProblemReport): void {
  const uses = tenants.flatMap((tenant) =>
    serverUsers(tenant.record).map((user) => [loginKey(tenant.record, user), tenant] as const),
  )
  const first = new Map(uses.toReversed())
  const last = new Map(uses)
  for (const { record, path } of tenants) {
    if (!record.hasOwnLogin) continue
    const key = loginKey(record, record.target.user)
    const users = [first.get(key), last.get(key)]
    const other = users.find((tenant) => tenant !== undefined && tenant.record !== record)
    if (other === undefined) continue
    const place = report.placeOf(other.path)
    const message = `is the server login of tenant ${other.record.name} as well, at ${place}`
    const remedy = 'Give each of them a server login of its own.'
    report.add([...path, 'serverLogin', 'user'], { message, remedy })
  }
}
