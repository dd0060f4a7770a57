import t from 'tap'
import { RecordBuilder } from '../../../src/catalog/documents/record-builder.ts'
import { DEFAULTS, documentOf, named, RING, rowOf } from './documents-fixture.ts'

const ACME = named('acme')
const builder = new RecordBuilder({ defaults: DEFAULTS, ring: RING })

function serverRow(settings: object = {}) {
  const all = { url: 'postgresql://pool@db/saas', ...settings }
  return rowOf('shared', all, { kind: 'server', passwords: { url: 'hush' } })
}

const TENANT = { strategy: 'schema', server: 'shared' }
const OWN = { serverLogin: { user: 'tenant_acme' } }
const SEALED = { isolation: { level: 'sealed' } }

t.test('a sealed tenant has a server login of its own, or a token', async (t) => {
  const server = serverRow(SEALED)
  const schema = rowOf('acme', { ...TENANT, ...OWN }, { passwords: { serverLogin: 'own pass' } })
  t.match(builder.tenant(ACME, documentOf(schema, server)), {
    isolation: 'sealed',
    hasOwnLogin: true,
    target: { user: 'tenant_acme', password: 'own pass', database: 'saas' },
    pool: { size: 2 },
  })
  const row = rowOf('acme', { strategy: 'row', server: 'shared' })
  const signing = { ...DEFAULTS, isolation: { level: 'guarded', keys: ['one'] } } as const
  const signer = new RecordBuilder({ defaults: signing, ring: RING })
  t.match(signer.tenant(ACME, documentOf(row, server)), { isolation: 'sealed', hasOwnLogin: false })
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ ...TENANT }, /serverLogin is missing/],
    [{ ...TENANT, ...OWN, role: 'r' }, /role does not go with level sealed/],
    [{ ...TENANT, serverLogin: { user: 'pool' } }, /serverLogin\.user 'pool' is a login/],
    [{ strategy: 'row', server: 'shared' }, /isolation\.keys is empty/],
    [{ strategy: 'row', server: 'shared', id: 'x'.repeat(257) }, /id is an id that no token/],
  ]
  for (const [settings, words] of refused) {
    const document = documentOf(rowOf('acme', { ...settings }), server)
    t.throws(() => builder.tenant(ACME, document), {
      code: 'CATALOG_RECORD_REFUSED',
      message: words,
    })
  }
})

t.test('a template makes server logins, and each has the password of the template', async (t) => {
  const settings = { ...TENANT, ...SEALED, serverLogin: { user: 't_{tenant}' } }
  const row = rowOf('eu-*', settings, { passwords: { serverLogin: 'p{tenant}' } })
  t.match(builder.tenant(named('eu-acme'), documentOf(row, serverRow())), {
    isolation: 'sealed',
    target: { user: 't_eu-acme', password: 'p{tenant}' },
  })
})
