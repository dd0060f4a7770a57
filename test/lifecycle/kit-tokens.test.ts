import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import type { Client } from 'pg'
import t, { type Test } from 'tap'
import { isTokenId, TenantTokenSigner } from '../../src/tenancy/tenant-token.ts'
import {
  KitDatabase,
  MAJORS,
  newKey,
  present,
  processIdOf,
  startKitServer,
  tenantBy,
  tenantOf,
} from './kit-fixture.ts'

const TENANT_ID = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...`.'\\%aA0é😀\n `), minLength: 1 }),
  )
  .filter(isTokenId)

const FOREIGN = ['x', 'f', '0', 'Z', '.', ' ', '\n', 'é', "'", '\\']

/** Signs as the proxy does, what the proxy would not. */
function forge(signed: string, processId: number, key: string): string {
  const hmac = createHmac('sha256', Buffer.from(key, 'base64'))
  return `${signed}${hmac.update(`${signed}${processId}`).digest('hex')}`
}

const HOSTILE_SETTINGS = [
  'SET standard_conforming_strings = off',
  'SET bytea_output = escape',
  'SET client_encoding = LATIN1',
  'SET quote_all_identifiers = on',
  'SET transform_null_equals = on',
  'SET row_security = off',
  `SET plpgsql.extra_errors = 'all'`,
  'SET search_path = public, pg_temp, pg_catalog',
  'SET default_transaction_isolation = serializable; SET default_transaction_read_only = on',
  `SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET extra_float_digits = -15`,
  'SET enable_seqscan = off; SET enable_indexscan = off; SET plan_cache_mode = force_custom_plan',
]

const KITS = await Promise.all(
  MAJORS.map(async (major) => {
    const database = await KitDatabase.create(await startKitServer(major), 'tokens')
    const client = await database.connect('app')
    const processId = await processIdOf(client)
    const signer = new TenantTokenSigner(database.key, 60_000)
    const sign = (tenantId: string) => signer.sign({ tenantId, processId }, Date.now()).text
    return { major, database, client, processId, sign }
  }),
)
t.teardown(() => Promise.all(KITS.map(({ database }) => database.end())))

for (const { major, database, client, processId, sign } of KITS) {
  t.test(`${major}: every id comes back as it was signed`, async (t) => {
    const check = fc.asyncProperty(TENANT_ID, async (id) => {
      t.equal(await tenantBy(client, sign(id)), id)
    })
    await fc.assert(check, { numRuns: 300 })
    for (const id of ['a', 'a.b.c', '..', '42', 'é'.repeat(128), 'x'.repeat(256), "'; --"]) {
      t.equal(await tenantBy(client, sign(id)), id)
    }
  })

  t.test(`${major}: a token with any one character changed is nobody`, async (t) => {
    const token = sign('acme')
    t.equal(await tenantBy(client, token), 'acme')
    for (let place = 0; place < token.length; place += 1) {
      const others = FOREIGN.filter((character) => character !== token[place])
      for (const other of others.slice(place % 3, (place % 3) + 4)) {
        const changed = token.slice(0, place) + other + token.slice(place + 1)
        t.equal(await tenantBy(client, changed), null, `${other} at ${place}`)
      }
      const shortened = token.slice(0, place) + token.slice(place + 1)
      t.equal(await tenantBy(client, shortened), null, `without ${place}`)
      const lengthened = `${token.slice(0, place)}${token[place]}${token.slice(place)}`
      t.equal(await tenantBy(client, lengthened), null, `twice ${place}`)
    }
    for (const changed of [`${token}0`, `${token}.`, `0${token}`, ` ${token}`, `${token}\n`]) {
      t.equal(await tenantBy(client, changed), null)
    }
    t.equal(await tenantBy(client, token.toUpperCase()), null)
  })

  t.test(`${major}: no text is anybody, and none raises an error`, async (t) => {
    const part = fc.oneof(fc.string({ unit: 'binary', maxLength: 90 }), fc.string())
    const text = fc.oneof(
      fc.array(part, { maxLength: 7 }).map((parts) => parts.join('.')),
      part.map((id) => `${id}.99999999999999.${'0'.repeat(32)}.first.${'0'.repeat(64)}`),
    )
    const check = fc.asyncProperty(text, async (found) => {
      t.equal(await tenantBy(client, found.replaceAll('\0', '')), null)
    })
    await fc.assert(check, { numRuns: 500 })
    for (const huge of ['', '.', '....', 'x'.repeat(1_000_000), `${sign('a')}.`.repeat(100)]) {
      t.equal(await tenantBy(client, huge), null)
    }
    const fresh = await database.connect('app')
    t.equal(await tenantOf(fresh), null, 'never set')
  })

  t.test(`${major}: a token of one id says nothing of another`, async (t) => {
    const ids = fc.tuple(TENANT_ID, TENANT_ID).filter(([one, other]) => one !== other)
    const check = fc.asyncProperty(ids, async ([one, other]) => {
      const [, ...rest] = sign(one).split('.')
      const swapped = [Buffer.from(other).toString('hex'), ...rest].join('.')
      t.equal(await tenantBy(client, swapped), null)
    })
    await fc.assert(check, { numRuns: 50 })
  })

  t.test(`${major}: parts can not be moved into each other`, async (t) => {
    const [id, expiry, nonce, keyId, mac] = sign('acme').split('.')
    for (const moved of [
      `${id}${expiry}..${nonce}.${keyId}.${mac}`,
      `${id}.${expiry}${nonce}..${keyId}.${mac}`,
      `${id}.${expiry}.${keyId}.${nonce}.${mac}`,
      `${id}.${expiry}.${nonce}.${keyId}.${processId}.${mac}`,
    ]) {
      t.equal(await tenantBy(client, moved), null)
    }
  })

  t.test(`${major}: an expired one is nobody, and replaying it does not help`, async (t) => {
    const long = new TenantTokenSigner(database.key, 1).sign(
      { tenantId: 'acme', processId },
      Date.now() - 10_000,
    )
    t.equal(await tenantBy(client, long.text), null)
    // Signed at a time that makes it end in the midst of the transaction.
    const short = new TenantTokenSigner(database.key, 300)
    await client.query('BEGIN')
    const { text, expiresAtMs } = short.sign({ tenantId: 'acme', processId }, Date.now())
    t.equal(await tenantBy(client, text), 'acme')
    await client.query('SELECT pg_sleep($1)', [(expiresAtMs - Date.now() + 20) / 1000])
    t.equal(await tenantOf(client), 'acme', 'as long as the transaction')
    await client.query('COMMIT')
    t.equal(await tenantBy(client, text), null, 'not in the next one')
  })

  t.test(`${major}: one for another server process is nobody`, async (t) => {
    const other = await database.connect('app')
    const stolen = await database.token(other, 'acme')
    t.equal(await tenantBy(other, stolen), 'acme')
    t.equal(await tenantBy(client, stolen), null)
  })

  t.test(`${major}: keys: several are valid, others are not`, async (t) => {
    const second = newKey('second')
    const token = await database.token(client, 'acme', second)
    t.equal(await tenantBy(client, token), null, 'unknown id')
    const impostor = { ...newKey('x'), id: database.key.id }
    t.equal(await tenantBy(client, await database.token(client, 'acme', impostor)), null)
    await database.add(second)
    t.equal(await tenantBy(client, token), 'acme')
    t.equal(await tenantBy(client, sign('acme')), 'acme')
    await database.owner.query(`SELECT pgusher.expire_key('second')`)
    t.equal(await tenantBy(client, token), null)
    await database.owner.query(`SELECT pgusher.expire_key('second', now() + '1 h')`)
    t.equal(await tenantBy(client, token), 'acme')
    await database.owner.query(`DELETE FROM pgusher.kit_keys WHERE id = 'second'`)
    t.equal(await tenantBy(client, token), null)
  })

  t.test(`${major}: what the fixture forges with the key is what the proxy signs`, async (t) => {
    const nonce = 'ab'.repeat(16)
    const forged = (key: string) => forge(`61.99999999999999.${nonce}.first.`, processId, key)
    t.equal(await tenantBy(client, forged(database.key.key)), 'a')
    t.equal(await tenantBy(client, forged(newKey('x').key)), null)
  })

  t.test(`${major}: whatever a session sets`, async (t) => {
    for (const settings of HOSTILE_SETTINGS) await keepsItsWord(t, await hostile(settings))
    async function hostile(settings: string): Promise<Client> {
      const session = await database.connect('app')
      await session.query(settings)
      return session
    }
    async function keepsItsWord(t: Test, session: Client): Promise<void> {
      const token = await database.token(session, 'a.b')
      t.equal(await tenantBy(session, token), 'a.b')
      t.equal(await tenantBy(session, `${token.slice(0, -1)}x`), null)
      await present(session, '')
    }
  })
}
