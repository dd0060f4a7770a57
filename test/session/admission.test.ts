import t from 'tap'
import { StatementTable } from '../../src/relay/statement-table.ts'
import { keepPolicy, roaming } from '../../src/session/admission.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import { readErrorFields } from '../../src/wire/message-fields.ts'
import { linkOf } from '../pool/pool-fixture.ts'
import { admissionOf } from './admission-fixture.ts'

const HEAD_BYTES = 5

function effectsOf(text: string) {
  const bytes = Buffer.from(text)
  const dialect = { backslashEscapes: false, hasUnsafeBytes: false }
  const effects = scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
  if (effects === undefined) throw new Error(`nothing in ${text}`)
  return effects
}

t.test('what is reported or listed is carried, but nobody’s place or nature', async (t) => {
  const parameters = new Map(
    ['TimeZone', 'search_path', 'is_superuser', 'session_authorization', 'server_version'].map(
      (name) => [name, ''],
    ),
  )
  const carriedSettings = ['Work_Mem', 'SEARCH_PATH', 'app.Tenant_id', 'Role', 'server_encoding']
  const schema = keepPolicy(admissionOf({ parameters, carriedSettings }))
  t.strictSame([...schema.reported], ['timezone'])
  t.strictSame([...schema.carried], ['timezone', 'work_mem'])
  t.strictSame([...schema.place].sort(), [
    'app.tenant_id',
    'role',
    'search_path',
    'session_authorization',
  ])
  const tenancy = { strategy: 'database' } as const
  const database = keepPolicy(
    admissionOf({ parameters, carriedSettings, tenancy, link: linkOf('globex') }),
  )
  t.strictSame([...database.reported].sort(), ['search_path', 'timezone'])
  t.strictSame([...database.place].sort(), ['role', 'session_authorization'])
})

t.test('clients with one link share a policy, as long as nothing else differs', async (t) => {
  const link = linkOf('acme')
  const policy = keepPolicy(admissionOf({ link }))
  t.equal(keepPolicy(admissionOf({ link })), policy)
  t.not(keepPolicy(admissionOf({ link: linkOf('acme') })), policy)
  t.not(keepPolicy(admissionOf({ link, parameters: new Map() })), policy)
  t.equal(keepPolicy(admissionOf({ link, maxCarriedBytes: 7 })).maxCarriedBytes, 7)
})

t.test('a client in session mode does not roam', async (t) => {
  const table = new StatementTable()
  t.equal(roaming(admissionOf({ mode: 'session' }), table), undefined)
  const found = roaming(admissionOf(), table)
  t.equal(found?.statements.family, table.family(linkOf('acme').tenantKey))
  t.equal(found?.effects.refusal(effectsOf('listen a')), undefined, 'pins are allowed')
})

const RULES = [
  { text: 'listen a', told: /listen/ },
  { text: 'prepare p as select 1', told: /prepare/ },
  { text: 'create temp table t ()', told: /temp/ },
  { text: 'declare c cursor with hold for select 1', told: /hold/ },
  { text: 'select pg_advisory_lock(1)', told: /advisoryLock/ },
  { text: "load 'x'", told: /load/ },
  { text: 'set jit = off', told: /jit/ },
  { text: "select set_config('jit', 'off', false)", told: /jit/ },
  { text: 'select set_config($1, $2, false)', told: /set_config/ },
  { text: 'set timezone = utc; set jit = off', told: /jit/ },
  { text: 'set timezone = utc', told: undefined },
  { text: 'set work_mem = 1', told: undefined },
  { text: 'reset jit', told: undefined },
  { text: 'discard all', told: undefined },
  { text: 'unlisten *', told: undefined },
  { text: 'do $$ begin end $$', told: undefined },
  { text: 'execute p', told: undefined },
]

for (const { text, told } of RULES) {
  t.test(`where nobody may be pinned: ${text}`, async (t) => {
    const { refusal } = keepPolicy(admissionOf({ pins: 'refuse' }))
    const error = refusal(effectsOf(text))
    if (told === undefined) {
      t.equal(error, undefined)
      return
    }
    const fields = readErrorFields(error?.subarray(HEAD_BYTES) ?? Buffer.alloc(0))
    t.equal(fields.get('C'), '0A000')
    t.equal(fields.get('S'), 'ERROR')
    t.match(fields.get('M'), told)
  })
}
