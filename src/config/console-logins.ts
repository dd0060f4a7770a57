import type { ConsoleLogin } from '../admin/console/console.ts'
import { readSecret } from '../catalog/documents/login-secret.ts'
import type { SettingPath } from '../catalog/documents/setting-path.ts'
import { ANY_USER, type AuthMethod } from '../catalog/login.ts'
import type { ProblemReport } from './problem-report.ts'
import type { SettingGroups } from './settings-schema.ts'

/** How operators prove who they are: never without a password, whatever clients may do. */
export function consoleMethod(method: AuthMethod): AuthMethod {
  return method === 'md5' || method === 'password' ? method : 'scram-sha-256'
}

/** Plain passwords of operators end here, as those of `logins` do in theirs. */
export function buildConsoleLogins(
  { console, auth }: SettingGroups,
  report: ProblemReport,
): ConsoleLogin[] {
  const surroundings = { method: consoleMethod(auth.method), canAsk: false, passesOn: undefined }
  const firstPaths = new Map<string, SettingPath>()
  return console.logins.flatMap(({ user, password, role }, index) => {
    const path = ['console', 'logins', index]
    const first = firstPaths.get(user)
    if (user === ANY_USER) {
      const remedy = 'Give each operator a login of its own.'
      report.add([...path, 'user'], { message: 'would let in whoever comes', remedy })
      return []
    }
    if (first !== undefined) {
      const message = `'${user}' is already a login of the console, at ${report.placeOf(first)}`
      report.add([...path, 'user'], { message, remedy: 'Remove one of the two.' })
    }
    firstPaths.set(user, [...path, 'user'])
    const secret = readSecret({ user, password, tenants: [] }, surroundings)
    if ('remedy' in secret) report.add([...path, 'password'], secret)
    return 'remedy' in secret || secret.kind === 'authQuery' ? [] : [{ user, secret, role }]
  })
}
