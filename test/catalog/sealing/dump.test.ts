import t from 'tap'
import { changePassword } from '../../../src/catalog/sealing/change-password.ts'
import { KeyRing } from '../../../src/catalog/sealing/key-ring.ts'
import { SecretsTable } from '../../../src/catalog/sealing/secrets-table.ts'
import { dumpDatabase } from '../../support/pg-dump.ts'
import { randomKey, startCatalog } from './catalog-fixture.ts'

const PASSWORDS = ['hush-database', 'hush/ask?', 'hush=user&', 'hush server']

t.test('a dump of the catalog holds no password in any spelling', async (t) => {
  const { client, server } = await startCatalog(t, 15)
  await client.query(`
    INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@db/saas');
    INSERT INTO pgusher.tenants (name, strategy, database_url, auth_query, users)
      VALUES ('acme', 'database', 'postgresql://app@db/acme',
        '{"url":"postgresql://asker@db/acme"}', '{"app":{"user":"x"}}')`)
  const key = randomKey('k1')
  const ring = new KeyRing([key])
  const places = [
    ['tenant', 'acme', 'databaseUrl'],
    ['tenant', 'acme', 'authQuery.url'],
    ['tenant', 'acme', 'users.app'],
    ['server', 'shared', 'url'],
  ] as const
  for (const [index, [kind, name, place]] of places.entries()) {
    const secret = PASSWORDS[index] ?? ''
    await changePassword(new SecretsTable(client, kind), { name, place, secret }, ring)
  }
  const dump = await dumpDatabase(server.url('postgres'))
  t.equal(dump.match(/v1:k1:/g)?.length, PASSWORDS.length, 'all of them are in it, sealed')
  for (const secret of [...PASSWORDS, key.key]) {
    for (const spelling of spellings(secret)) t.notOk(dump.includes(spelling), spelling)
  }
})

function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
    // What stays of it wherever it begins in a longer text.
    const part = (text: string) => text.slice(shift === 0 ? 0 : 4, -4)
    return [part(shifted.toString('base64')), part(shifted.toString('base64url'))]
  })
  return [secret, encodeURIComponent(secret), bytes.toString('hex'), ...base64]
}
