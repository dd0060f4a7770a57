import type { PoolPolicy } from '../../src/catalog/route.ts'
import type { Admission } from '../../src/session/admission.ts'
import type { Link } from '../../src/tenancy/link.ts'
import type { Tenancy } from '../../src/tenancy/tenancy.ts'
import { linkOf } from '../pool/pool-fixture.ts'

const SCHEMA: Tenancy = { strategy: 'schema', searchPath: ['acme'], setting: 'app.tenant_id' }
const LIMITS = { maxStatementBytes: 1, maxPreparedPerClient: 1, maxPreparedBytesPerClient: 1 }
const PARAMETERS = new Map([
  ['TimeZone', 'UTC'],
  ['server_version', '18.4'],
])

/** What may differ from a client of acme in transaction mode. */
export interface AdmissionChanges extends Partial<PoolPolicy> {
  readonly link?: Link
  readonly tenancy?: Tenancy
  readonly parameters?: ReadonlyMap<string, string>
  readonly maxCarriedBytes?: number
}

/** As much of an admission as session state is kept by. */
export function admissionOf(changes: AdmissionChanges = {}): Admission {
  const { link = linkOf('acme'), tenancy = SCHEMA, parameters = PARAMETERS } = changes
  const { mode = 'transaction', pins = 'allow', carriedSettings = ['Work_Mem'] } = changes
  const pool = { mode, pins, carriedSettings, size: 1 }
  const options = { statements: LIMITS, maxCarriedBytes: changes.maxCarriedBytes ?? 1_000 }
  const parts = {
    route: { tenancy, pool, settings: [] },
    options,
    link,
    parameters,
    settings: new Map(),
  }
  return parts as unknown as Admission
}
