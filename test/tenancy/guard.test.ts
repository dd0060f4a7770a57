import fc from 'fast-check'
import t from 'tap'
import { quoteIdentifier, quoteLiteral } from '../../src/sql/quote.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { formatSearchPath } from '../../src/sql/search-path.ts'
import { type GuardReason, guardRefusal } from '../../src/tenancy/guard.ts'
import type { GuardedPlace } from '../../src/tenancy/guarded-place.ts'

const DIALECT = { backslashEscapes: false, hasUnsafeBytes: false }
const SCHEMA: GuardedPlace = {
  schemas: ['tenant_acme', 'Shared'],
  setting: 'app.tenant_id',
  value: '',
  role: undefined,
  tokenStart: undefined,
}
const ROW: GuardedPlace = { ...SCHEMA, schemas: ['public'], value: '42' }
const SEALED: GuardedPlace = { ...ROW, value: undefined }
const WITH_ROLE: GuardedPlace = { ...SCHEMA, role: 'Acme' }

function judge(place: GuardedPlace, sql: string) {
  const bytes = Buffer.from(sql)
  const effects = scanStatements({ bytes, start: 0, end: bytes.length }, DIALECT)
  return effects === undefined ? undefined : guardRefusal(effects, place)
}

const ALLOWED: readonly (readonly [GuardedPlace, ...string[]])[] = [
  [
    SCHEMA,
    'SELECT 1',
    "SELECT pg_catalog.set_config('search_path', '', false)",
    'SET search_path = tenant_acme, "Shared", pg_catalog, pg_temp',
    "SET search_path = ''",
    'SET LOCAL search_path TO DEFAULT',
    'RESET search_path',
    'SET search_path FROM CURRENT',
    "SELECT set_config('search_path', 'TENANT_ACME , \"Shared\"', true)",
    'RESET ALL',
    'DISCARD ALL',
    'RESET ROLE',
    'SET ROLE NONE',
    'SET role TO DEFAULT',
    'SET SESSION AUTHORIZATION DEFAULT',
    "SET app.tenant_id = ''",
    'RESET app.tenant_id',
    "SET LOCAL work_mem = '1MB'",
    "SELECT set_config('my.setting', $1, true)",
    "CREATE FUNCTION f() RETURNS int SET search_path = pg_catalog, pg_temp AS ''",
    "UPDATE t SET x = (SELECT setting FROM pg_settings WHERE name = 'role')",
    "SELECT set_config(name, 'view', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
    'DO $$ BEGIN END $$',
    'LISTEN x',
  ],
  [
    ROW,
    'SET app.tenant_id = 42',
    "SET LOCAL App.Tenant_Id TO '42'",
    "SELECT set_config('app.tenant_id', '42', true)",
    'SET app.tenant_id TO DEFAULT',
    'SET search_path = public',
  ],
  [SEALED, 'RESET app.tenant_id'],
  [WITH_ROLE, 'SET ROLE "Acme"', "SET LOCAL ROLE 'Acme'", 'RESET ALL', 'DISCARD ALL'],
]

const REFUSED: readonly (readonly [GuardedPlace, GuardReason, ...string[]])[] = [
  [
    SCHEMA,
    'search_path',
    'SET search_path = tenant_globex',
    'SET search_path = tenant_acme, public',
    'SET search_path = shared',
    'SET search_path = "$user"',
    'SET search_path = \'tenant_acme, "Shared"\'',
    "SET SCHEMA 'tenant_globex'",
    "SELECT set_config('search_path', 'tenant_acme,tenant_globex', true)",
    "SELECT set_config('search_path', 'tenant_acme,', true)",
    "SELECT set_config('search_path', $1, true)",
    'SELECT 1; SET search_path = tenant_acme; SET LOCAL search_path = public',
    'CREATE FUNCTION f() RETURNS int SET search_path = public AS $$x$$',
  ],
  [SCHEMA, 'tenant_setting', "SET app.tenant_id = '42'", 'SET LOCAL "APP"."tenant_id" = x'],
  [
    SCHEMA,
    'role',
    'SET ROLE x',
    'SET LOCAL ROLE x',
    "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role'",
    "SELECT set_config('role', 'x', true)",
    "CREATE FUNCTION f() RETURNS int SET role = x AS ''",
  ],
  [SCHEMA, 'session_authorization', 'SET SESSION AUTHORIZATION x'],
  [
    SCHEMA,
    'unknown_setting',
    'SELECT set_config($1, $2, true)',
    "UPDATE pg_settings SET setting = 'x'",
  ],
  [SCHEMA, 'alter_role', 'ALTER ROLE x SET search_path = y', 'ALTER SYSTEM RESET ALL'],
  [SCHEMA, 'hidden_name', 'SELECT U&"!0061" UESCAPE E\'\\041\' (1)'],
  [
    ROW,
    'tenant_setting',
    'SET app.tenant_id = 43',
    "SET app.tenant_id = '42', '42'",
    "SET app.tenant_id = ''",
    "SELECT set_config('app.tenant_id', $1, true)",
  ],
  [SEALED, 'tenant_setting', 'SET app.tenant_id = 42', "SET app.tenant_id = 'undefined'"],
  [
    WITH_ROLE,
    'role',
    'RESET ROLE',
    'SET ROLE NONE',
    'SET ROLE acme',
    'SET role TO DEFAULT',
    "SELECT set_config('role', 'none', false)",
  ],
  [WITH_ROLE, 'session_authorization', 'RESET SESSION AUTHORIZATION'],
]

for (const [place, ...texts] of ALLOWED) {
  for (const sql of texts) t.test(`allowed: ${sql}`, async (t) => t.notOk(judge(place, sql)))
}
for (const [place, reason, ...texts] of REFUSED) {
  for (const sql of texts) {
    t.test(`refused: ${sql}`, async (t) => t.equal(judge(place, sql)?.reason, reason))
  }
}

t.test('the setting is told', async (t) => {
  t.equal(judge(ROW, 'SET App.Tenant_Id = 1')?.setting, 'app.tenant_id')
  t.equal(judge(ROW, 'SET SESSION AUTHORIZATION x')?.setting, 'session_authorization')
})

const name = fc.oneof(
  fc.constantFrom('tenant_acme', 'Shared', 'pg_catalog', 'pg_temp', 'public', 'tenant_ACME'),
  fc.stringMatching(/^[A-Za-z_"', ]{1,12}$/),
)

t.test('a search_path passes just if each of its names is of the place, however put', async (t) => {
  const seen = new Set<boolean>()
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
      const own = ['', 'pg_catalog', 'pg_temp', ...SCHEMA.schemas]
      const isOwn = names.every((one) => own.includes(one))
      seen.add(isOwn)
      for (const sql of [
        `SET search_path TO ${names.map(quoteIdentifier).join(', ')}`,
        `SET LOCAL search_path = ${names.map((one) => `'${one.replaceAll("'", "''")}'`).join(',')}`,
        `SELECT set_config('search_path', '${formatSearchPath(names).replaceAll("'", "''")}', true)`,
      ]) {
        t.equal(judge(SCHEMA, sql) === undefined, isOwn, sql)
      }
    }),
    { numRuns: 500 },
  )
  t.equal(seen.size, 2, 'both came up')
})

t.test('an id passes just if it is the tenant’s own', async (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-z' ]{0,5}$/), fc.boolean(), (id, isOwn) => {
      const place = { ...ROW, value: isOwn ? id : `${id}x` }
      const refused = judge(place, `SET LOCAL app.tenant_id = '${id.replaceAll("'", "''")}'`)
      t.equal(refused === undefined, isOwn, id)
    }),
  )
  t.equal(judge(ROW, `SET app.tenant_id = ${quoteLiteral('42')}`), undefined)
})
