import fc from 'fast-check'
import { Client } from 'pg'
import t from 'tap'
import { quoteIdentifier, quoteLiteral, quoteSettingName } from '../../src/sql/quote.ts'
import { formatSearchPath, parseSearchPath } from '../../src/sql/search-path.ts'
import { startPostgres } from '../support/postgres.ts'

const server = await startPostgres({ major: 18 })
t.teardown(() => server.stop())

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: server.url('postgres') })
  await client.connect()
  return client
}

const TEXT = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...`'\\aE"$\n表ソ゛é😀\x01`) }),
    fc.string({ unit: 'binary' }),
  )
  .map((text) => text.replaceAll('\0', ''))

for (const conforming of ['on', 'off']) {
  for (const encoding of ['UTF8', 'SJIS', 'GBK', 'LATIN1']) {
    t.test(`literals, standard_conforming_strings ${conforming}, ${encoding}`, async (t) => {
      const client = await connect()
      await client.query(
        `set standard_conforming_strings = ${conforming}; set client_encoding = ${encoding}`,
      )
      const check = fc.asyncProperty(TEXT, async (text) => {
        const result = await client.query(
          `select encode(convert_to(${quoteLiteral(text)}, 'UTF8'), 'hex') as hex`,
        )
        t.equal(result.rows[0].hex, Buffer.from(text).toString('hex'))
      })
      await fc.assert(check, { numRuns: 150 })
      await client.end()
    })
  }
}

t.test('a quoted setting name is the setting', async (t) => {
  const client = await connect()
  await client.query(`set ${quoteSettingName('app.tenant_id')} = 'x'`)
  await client.query(`set ${quoteSettingName('datestyle')} = 'German'`)
  const result = await client.query(
    `select current_setting('app.tenant_id') as tenant, current_setting('DateStyle') as style`,
  )
  t.strictSame(result.rows, [{ tenant: 'x', style: 'German, DMY' }])
  await client.end()
})

const SCHEMAS = ['a', 'A', 'b', 'a b', 'a"b', 'a,b', 'é', '$a', 'public']

t.test('a search_path is read as the server reads it', async (t) => {
  const client = await connect()
  for (const schema of SCHEMAS) {
    await client.query(`create schema if not exists ${quoteIdentifier(schema)}`)
  }
  async function schemasFor(value: string): Promise<readonly string[] | string> {
    try {
      await client.query(`select set_config('search_path', ${quoteLiteral(value)}, false)`)
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    }
    const result = await client.query('select current_schemas(false)::text[] as names')
    return result.rows[0].names
  }
  const pieces = fc.constantFrom(
    'a',
    'A',
    'b',
    '"',
    '""',
    ',',
    ' ',
    '\t',
    '\v',
    'é',
    '$a',
    'public',
  )
  const value = fc.oneof(
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
    fc
      .array(fc.constantFrom('a', 'A', '"A"', '"a b"', '"a""b"', '"a,b"', ' é ', '""', 'x'))
      .map((names) => names.join(' , ')),
  )
  let malformed = 0
  const check = fc.asyncProperty(value, async (text) => {
    const parsed = parseSearchPath(text)
    if (parsed === undefined) malformed += 1
    const existing = parsed?.filter((name) => SCHEMAS.includes(name))
    const expects = existing === undefined ? '22023' : [...new Set(existing)]
    t.strictSame(await schemasFor(text), expects, JSON.stringify(text))
    if (parsed !== undefined) t.strictSame(await schemasFor(formatSearchPath(parsed)), expects)
  })
  await fc.assert(check, { numRuns: 600 })
  t.ok(malformed > 20)
  await client.end()
})
