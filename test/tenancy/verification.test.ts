import t from 'tap'
import type { GuardedPlace } from '../../src/tenancy/guarded-place.ts'
import {
  foundIn,
  placeQuery,
  placeViolation,
  readFoundPlace,
} from '../../src/tenancy/verification.ts'

const PLACE: GuardedPlace = {
  schemas: ['tenant_acme', 'Ext'],
  setting: 'app.tenant_id',
  value: '42',
  role: undefined,
}
const FOUND = { searchPath: 'tenant_acme, "Ext"', setting: '42', role: 'none', user: 'pool' }
const HELD = { place: PLACE, token: undefined, user: 'pool' }

t.test('what a tenant may be found in', async (t) => {
  for (const found of [
    FOUND,
    { ...FOUND, searchPath: '"Ext", pg_catalog, pg_temp' },
    { ...FOUND, searchPath: '' },
    { ...FOUND, searchPath: '""' },
    { ...FOUND, searchPath: 'pg_catalog', setting: '' },
    { ...FOUND, setting: undefined, user: undefined },
    { searchPath: undefined, setting: undefined, role: undefined, user: undefined },
  ]) {
    t.equal(placeViolation(found, HELD), undefined, JSON.stringify(found))
  }
})

t.test('what it has left its place by', async (t) => {
  for (const [found, kind] of [
    [{ ...FOUND, searchPath: 'tenant_globex' }, 'search_path'],
    [{ ...FOUND, searchPath: 'ext' }, 'search_path'],
    [{ ...FOUND, searchPath: 'public, tenant_acme' }, 'search_path'],
    [{ ...FOUND, searchPath: '$user' }, 'search_path'],
    [{ ...FOUND, searchPath: '"half' }, 'search_path'],
    [{ ...FOUND, setting: '43' }, 'tenant_setting'],
    [{ ...FOUND, role: 'janitor' }, 'role'],
    [{ ...FOUND, user: 'postgres' }, 'session_authorization'],
  ] as const) {
    t.equal(placeViolation(found, HELD), kind, JSON.stringify(found))
  }
})

t.test('a role that was taken must still be there', async (t) => {
  const held = { ...HELD, place: { ...PLACE, role: 'clerk' } }
  t.equal(placeViolation({ ...FOUND, role: 'clerk' }, held), undefined)
  t.equal(placeViolation(FOUND, held), 'role')
})

t.test('a token stands in place of the id', async (t) => {
  const held = { ...HELD, place: { ...PLACE, value: undefined }, token: '3432.1.a.k.b' }
  t.equal(placeViolation({ ...FOUND, setting: '3432.1.a.k.b' }, held), undefined)
  t.equal(placeViolation({ ...FOUND, setting: '' }, held), undefined)
  t.equal(placeViolation(FOUND, held), 'tenant_setting')
  t.equal(placeViolation(FOUND, { ...held, token: undefined }), 'tenant_setting')
})

t.test('what is in no encoding is not converted', async (t) => {
  t.match(placeQuery(PLACE, 'SQL_ASCII'), /E'SQL_ASCII'\), 'hex'\)/)
  for (const encoding of ['UTF8', 'LATIN1', undefined]) {
    t.match(placeQuery(PLACE, encoding), /E'UTF8'\), 'hex'\)/)
  }
})

t.test('rows and settings say the same', async (t) => {
  const hex = (text: string) => Buffer.from(text).toString('hex')
  const columns = [hex(FOUND.searchPath), hex('42'), hex('none'), hex('pool')]
  t.strictSame(readFoundPlace(columns), FOUND)
  t.strictSame(readFoundPlace([hex(''), undefined, undefined, undefined]), {
    searchPath: '',
    setting: undefined,
    role: undefined,
    user: undefined,
  })
  const settings = new Map([
    ['search_path', FOUND.searchPath],
    ['app.tenant_id', '42'],
    ['role', 'none'],
    ['session_authorization', 'pool'],
  ])
  t.strictSame(foundIn(settings, 'app.tenant_id'), FOUND)
})
