import t, { type Test } from 'tap'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { rekey } from '../../../src/catalog/sealing/rekey.ts'
import { resealSecrets } from '../../../src/catalog/sealing/reseal.ts'
import type { EnvelopeRefusedError } from '../../../src/catalog/sealing/sealing-errors.ts'
import { type SecretsClient, SecretsTable } from '../../../src/catalog/sealing/secrets-table.ts'
import {
  addTenants,
  openTenants,
  randomKey,
  startCatalog,
  type TestCatalog,
  tenantName,
} from './catalog-fixture.ts'

const OLD = randomKey('old')
const NEW = randomKey('new')
const BEFORE = new KeyRing([OLD])
const AFTER = new KeyRing([NEW, OLD])

async function run(client: SecretsClient, ring = AFTER) {
  const refused: EnvelopeRefusedError[] = []
  const counts = await rekey(new SecretsTable(client, 'tenant'), {
    ring,
    refused: (error) => void refused.push(error),
  })
  return { counts, refused }
}

/** A client that does something else before each of its statements that begin so. */
function interrupting(
  client: SecretsClient,
  start: 'SELECT' | 'UPDATE',
  action: () => Promise<void>,
): SecretsClient {
  return {
    async query(text, values) {
      if (text.startsWith(start)) await action()
      return client.query(text, values)
    },
  }
}

/** Gives tenants new passwords as a control plane does: on the version that it has read. */
async function changePasswords(
  client: SecretsClient,
  names: readonly string[],
  password: string,
): Promise<void> {
  const table = new SecretsTable(client, 'tenant')
  let pending = names
  while (pending.length > 0) {
    const rows = await table.named(pending)
    const changes = rows.map((row) => ({
      name: row.name,
      secretsVersion: row.secretsVersion,
      secrets: resealSecrets(row, AFTER, { databaseUrl: password }),
    }))
    const written = await table.write(changes)
    pending = pending.filter((name) => !written.has(name))
  }
}

const CASES: readonly { name: string; test(t: Test, catalog: TestCatalog): Promise<void> }[] = [
  {
    name: 'afterwards the old key is of no more use',
    async test(t, { client }) {
      await addTenants(client, 250, BEFORE)
      const before = await openTenants(client, [OLD])
      t.strictSame(await run(client), {
        counts: { resealed: 250, kept: 0, refused: 0 },
        refused: [],
      })
      t.strictSame(await openTenants(client, [NEW]), before)
      t.match((await run(client)).counts, { resealed: 0, kept: 250 })
    },
  },
  {
    name: 'rows that do not open are told of, and the others done',
    async test(t, { client }) {
      await addTenants(client, 5, BEFORE)
      await client.query(
        `UPDATE pgusher.tenants SET secrets_version = 2,
         secrets = (SELECT other.secrets FROM pgusher.tenants AS other WHERE other.name = 't001')
         WHERE name = 't003'`,
      )
      const { counts, refused } = await run(client)
      t.strictSame(counts, { resealed: 4, kept: 0, refused: 1 })
      t.strictSame(
        refused.map(({ code, fault, message }) => ({ code, fault, tenant: message.slice(0, 12) })),
        [{ code: 'CATALOG_RECORD_REFUSED', fault: 'foreign', tenant: 'tenant t003:' }],
      )
    },
  },
  {
    name: 'with the wrong key nothing is written',
    async test(t, { client }) {
      await addTenants(client, 3, BEFORE)
      const { counts, refused } = await run(client, new KeyRing([NEW, randomKey('other')]))
      t.strictSame(counts, { resealed: 0, kept: 0, refused: 3 })
      t.strictSame([...new Set(refused.map(({ fault }) => fault))], ['unknownKey'])
      const forged = await run(client, new KeyRing([NEW, { ...NEW, id: 'old' }]))
      t.strictSame([...new Set(forged.refused.map(({ fault }) => fault))], ['foreign'])
      t.equal(Object.keys(await openTenants(client, [OLD])).length, 3)
    },
  },
  {
    name: 'a run goes on where another one was cut short',
    async test(t, { client }) {
      await addTenants(client, 250, BEFORE)
      let updates = 0
      const cut = interrupting(client, 'UPDATE', async () => {
        updates += 1
        if (updates === 2) throw new Error('cut short')
      })
      await t.rejects(run(cut), { message: 'cut short' })
      t.match((await run(client)).counts, { resealed: 150, kept: 100, refused: 0 })
      t.equal(Object.keys(await openTenants(client, [NEW])).length, 250)
    },
  },
  {
    name: 'what changes between reading and writing stays as it was changed',
    async test(t, { client, connect }) {
      await addTenants(client, 3, BEFORE)
      const other = await connect()
      let isFirst = true
      const overtaken = interrupting(client, 'UPDATE', async () => {
        if (!isFirst) return
        isFirst = false
        await changePasswords(other, ['t001'], 'newer')
        await other.query(`DELETE FROM pgusher.tenants WHERE name = 't002'`)
      })
      t.strictSame((await run(overtaken)).counts, { resealed: 1, kept: 1, refused: 0 })
      t.strictSame(await openTenants(client, [NEW]), { t000: 'hush of t000', t001: 'newer' })
    },
  },
  {
    name: 'an older sealer that overtakes is sealed anew',
    async test(t, { client, connect }) {
      await addTenants(client, 2, BEFORE)
      const other = await connect()
      let isFirst = true
      const overtaken = interrupting(client, 'UPDATE', async () => {
        if (!isFirst) return
        isFirst = false
        const table = new SecretsTable(other, 'tenant')
        for (const row of await table.named(['t001'])) {
          const secrets = resealSecrets(row, BEFORE, { databaseUrl: 'late' })
          await table.write([{ ...row, secrets }])
        }
      })
      t.match((await run(overtaken)).counts, { resealed: 2, kept: 0 })
      t.match(await openTenants(client, [NEW]), { t000: 'hush of t000', t001: 'late' })
    },
  },
  {
    name: 'several runs and writers at once lose nothing',
    async test(t, { client, connect }) {
      await addTenants(client, 120, BEFORE)
      const names = Array.from({ length: 120 }, (_, index) => tenantName(index))
      const [first, second, writer] = await Promise.all([connect(), connect(), connect()])
      const write = async () => {
        for (let round = 0; round < 10; round += 1) {
          for (const name of names.filter((_, index) => index % 3 === 0)) {
            await changePasswords(writer, [name], `${round} of ${name}`)
          }
        }
      }
      const [one, two] = await Promise.all([run(first), run(second), write()])
      t.equal(one.counts.refused + two.counts.refused, 0)
      const expected = names.map((name, index) => [
        name,
        index % 3 === 0 ? `9 of ${name}` : `hush of ${name}`,
      ])
      t.strictSame(await openTenants(client, [NEW]), Object.fromEntries(expected))
    },
  },
  {
    name: 'a writer that holds what a run waits for is waited for',
    async test(t, { client, connect }) {
      await addTenants(client, 2, BEFORE)
      const holder = await connect()
      // Each holds what the other one wants next: Postgres ends one of the two.
      await holder.query('BEGIN')
      await holder.query(`SELECT FROM pgusher.tenants WHERE name = 't001' FOR UPDATE`)
      const running = run(client)
      await isWaiting(await connect(), 'UPDATE pgusher.tenants%')
      const held = holder.query(
        `UPDATE pgusher.tenants SET labels = '{"a":"b"}' WHERE name = 't001'`,
      )
      await held.then(
        () => holder.query('COMMIT'),
        () => holder.query('ROLLBACK'),
      )
      t.match((await running).counts, { resealed: 2, refused: 0 })
      t.equal(Object.keys(await openTenants(client, [NEW])).length, 2)
    },
  },
]

for (const major of [15, 18] as const) {
  t.test(`over Postgres ${major}`, async (t) => {
    const catalog = await startCatalog(t, major)
    t.beforeEach(() => catalog.client.query('DELETE FROM pgusher.tenants'))
    for (const { name, test } of CASES) t.test(name, (t) => test(t, catalog))
  })
}

/** Resolves when a statement like that waits for a lock. */
async function isWaiting(client: SecretsClient, pattern: string): Promise<void> {
  const text = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`
  while ((await client.query(text, [pattern])).rows.length === 0) {
    await client.query('SELECT pg_sleep(0.01)', [])
  }
}
