import fc from 'fast-check'
import t from 'tap'
import { quoteLiteral } from '../../src/sql/quote.ts'
import { parseTenantName } from '../../src/tenancy/tenant-name.ts'
import { bestPattern, parseTenantPattern } from '../../src/tenancy/tenant-pattern.ts'
import { sql, startPostgres } from '../support/postgres.ts'

const RUNS = 300
const TABLE =
  'CREATE TABLE patterns (run int, name text); CREATE TABLE asked (run int, tenant text)'
const BEST = `
  SELECT tenant, (
    SELECT name FROM patterns
    WHERE patterns.run = asked.run
      AND tenant LIKE replace(replace(name, '_', '\\_'), '*', '%')
    ORDER BY length(name) DESC, name COLLATE "C"
    LIMIT 1
  ) AS best
  FROM asked ORDER BY run`

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '_'), maxLength: 4 })
const runs = fc.record({
  tenant: letters.map(parseTenantName).filter((name) => name !== undefined),
  patterns: fc.array(
    fc
      .tuple(letters, letters)
      .map(([prefix, suffix]) => parseTenantPattern(`${prefix}*${suffix}`))
      .filter((pattern) => pattern !== undefined),
    { minLength: 1, maxLength: 12 },
  ),
})

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major} prefers the same patterns`, async (t) => {
    const server = await startPostgres({ major })
    t.teardown(() => server.stop())
    const samples = fc.sample(runs, RUNS)
    const rows = samples.flatMap(({ patterns }, run) =>
      patterns.map(({ text }) => `(${run}, ${quoteLiteral(text)})`),
    )
    const asked = samples.map(({ tenant }, run) => `(${run}, ${quoteLiteral(tenant)})`)
    const filled = `${TABLE}; INSERT INTO patterns VALUES ${rows}; INSERT INTO asked VALUES ${asked}`
    const found = await sql(server, 'postgres', `${filled}; ${BEST}`)
    const expected = samples.map(({ tenant, patterns }) => ({
      tenant,
      best: bestPattern(patterns, tenant)?.text ?? null,
    }))
    t.strictSame(
      found.map((row) => ({ ...row })),
      expected,
    )
    t.ok(expected.filter(({ best }) => best !== null).length > RUNS / 10, 'many are covered')
  })
}
