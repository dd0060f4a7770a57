import t from 'tap'
import { RecordBuilder } from '../../../src/catalog/documents/record-builder.ts'
import type { CatalogEntry, CatalogRow } from '../../../src/catalog/entry.ts'
import { TemplateProver } from '../../../src/catalog/layers/template-prover.ts'
import type { TenantRecord } from '../../../src/catalog/records.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { DEFAULTS, documentOf, RING, rowOf } from '../documents/documents-fixture.ts'
import { absentEntry, tenantEntry, tenantName } from './layers-fixture.ts'

const DATABASES = rowOf('*', { strategy: 'database', databaseUrl: 'postgresql://u@h/{tenant}' })
const SERVER = rowOf('shared', { url: 'postgresql://u@h/saas' }, { kind: 'server' })

function entryOf(row: CatalogRow, server?: CatalogRow): CatalogEntry {
  return { kind: 'tenant', asOf: 5, document: documentOf(row, server) }
}

/** A prover, and the places that it asked for. */
function newProver(answer: (record: TenantRecord) => Promise<'present' | 'absent'>) {
  const clock = new FakeClock()
  const builder = new RecordBuilder({ defaults: DEFAULTS, ring: RING })
  const asked: string[] = []
  const prover = new TemplateProver({
    build: (name, document) => builder.tenant(name, document),
    probe(record) {
      asked.push(record.target.database)
      return answer(record)
    },
    clock,
  })
  return { clock, prover, asked }
}

t.test('only what a template makes is asked for', async (t) => {
  const { prover, asked } = newProver(async () => 'absent')
  const entries = [tenantEntry('acme', 1), absentEntry(1)]
  for (const entry of entries) t.equal(await prover.examine(tenantName('acme'), entry), entry)
  t.strictSame(asked, [])
})

t.test('a tenant that is there is believed for a while; one that is not is unknown', async (t) => {
  let answer: 'present' | 'absent' = 'present'
  const { clock, prover, asked } = newProver(async () => answer)
  const entry = entryOf(DATABASES)
  t.equal(await prover.examine(tenantName('acme'), entry), entry)
  answer = 'absent'
  clock.advance(59_999)
  t.equal(await prover.examine(tenantName('acme'), entry), entry)
  t.strictSame(await prover.examine(tenantName('globex'), entry), absentEntry(5))
  clock.advance(1)
  t.strictSame(await prover.examine(tenantName('acme'), entry), absentEntry(5))
  await prover.examine(tenantName('acme'), entry)
  t.strictSame(asked, ['acme', 'globex', 'acme', 'acme'])
})

t.test('schemas of one database are proven apart', async (t) => {
  const { prover, asked } = newProver(async () => 'present')
  const entry = entryOf(rowOf('*', { strategy: 'schema', server: 'shared' }), SERVER)
  await prover.examine(tenantName('acme'), entry)
  await prover.examine(tenantName('globex'), entry)
  t.equal(asked.length, 2)
})

t.test('who nobody may ask as is believed until the client proves it', async (t) => {
  const { prover, asked } = newProver(async () => 'absent')
  const { settings } = DATABASES
  const entry = entryOf({ ...DATABASES, settings: { ...settings, serverUser: 'client' } })
  t.equal(await prover.examine(tenantName('acme'), entry), entry)
  t.strictSame(asked, [])
})

t.test('nobody can say', async (t) => {
  const { prover } = newProver(() => Promise.reject(new Error('down')))
  await t.rejects(prover.examine(tenantName('acme'), entryOf(DATABASES)), { message: 'down' })
})

t.test('a name that does not fit is unknown; a template that fits no name is broken', async (t) => {
  const { prover, asked } = newProver(async () => 'present')
  const schemas = entryOf(rowOf('*', { strategy: 'schema', server: 'shared' }), SERVER)
  const unfit = [
    [tenantName('postgres'), entryOf(DATABASES)],
    [tenantName('a'.repeat(63)), schemas],
    [tenantName('No Name'), schemas],
  ] as const
  for (const [name, entry] of unfit) {
    t.strictSame(await prover.examine(name, entry), absentEntry(5), name.name)
  }
  const sealed = rowOf('*', DATABASES.settings, { passwords: { databaseUrl: 'hush' } })
  const broken = [
    rowOf('*', { strategy: 'database', databaseUrl: 'mysql://{tenant}' }),
    rowOf('*', { strategy: 'database', databaseUrl: 'postgresql://u@h/postgres' }),
    rowOf('*', { strategy: 'schema', server: 'nowhere' }),
    { ...sealed, secretsVersion: 9 },
  ]
  for (const row of broken) {
    const examined = prover.examine(tenantName('acme'), entryOf(row))
    await t.rejects(examined, { code: 'CATALOG_RECORD_REFUSED' })
  }
  t.strictSame(asked, [])
})
