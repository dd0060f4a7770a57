import t from 'tap'
import { TenantFullError } from '../../src/limits/limits-errors.ts'
import { ServerUnreachableError } from '../../src/server/server-errors.ts'
import { weightOf } from '../../src/session/error-weight.ts'
import {
  foreseen,
  IdleClientError,
  PlaceLeftError,
  ShutdownError,
  TenantSuspendedError,
} from '../../src/session/session-errors.ts'
import { parseTenantName } from '../../src/tenancy/tenant-name.ts'

const acme = parseTenantName('acme')
if (acme === undefined) throw new Error('acme is a name')

const ROWS = [
  { error: foreseen(new Error('a bug')), weight: 'error' },
  { error: new PlaceLeftError(), weight: 'error' },
  {
    error: new ServerUnreachableError({ host: 'db', port: 5432 }, { reason: 'no' }),
    weight: 'warn',
  },
  { error: new TenantFullError(acme, 3), weight: 'warn' },
  { error: new TenantSuspendedError('acme'), weight: 'info' },
  { error: new IdleClientError(1000), weight: 'info' },
  { error: new ShutdownError(), weight: 'debug' },
] as const

for (const { error, weight } of ROWS) {
  t.test(`${error.code}: ${weight}`, async (t) => t.equal(weightOf(error), weight))
}
