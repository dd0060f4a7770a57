import t from 'tap'
import { LinkWriter } from '../../src/server/link-writer.ts'
import { buildLink, type LinkOrigin, type LinkSource } from '../../src/tenancy/link.ts'
import { TenantTokenSigner } from '../../src/tenancy/tenant-token.ts'

const LIFETIME_MS = 60_000
const SIGNER = new TenantTokenSigner(
  { id: 'k', key: Buffer.alloc(32).toString('base64') },
  LIFETIME_MS,
)
const SOURCE: LinkSource = {
  tenant: 'acme',
  version: 1,
  tenancy: { strategy: 'row', searchPath: ['public'], setting: 'app.tenant_id', value: '42' },
  isolation: 'sealed',
  settings: [],
  role: undefined,
}
const ACME = buildLink(SOURCE, [])
const GLOBEX = buildLink({ ...SOURCE, tenant: 'globex' }, [])
const REST: LinkOrigin = { link: undefined, isDirty: false, serverEncoding: 'UTF8' }

function rig() {
  const time = { nowMs: 1_000_000 }
  return {
    time,
    writer: new LinkWriter(
      7,
      () => SIGNER,
      () => time.nowMs,
    ),
  }
}

t.test('a token goes between the two halves of the block, as a bound value', async (t) => {
  const { writer } = rig()
  const written = writer.write(REST, ACME)
  t.equal(written?.parts, 3)
  const texts = written?.bytes.toString('latin1') ?? ''
  t.match(texts, /^Q.*BEGIN; SELECT .*\0P.*set_config\(E'app.tenant_id', \$1, false\)/s)
  t.match(texts, /SELECT; COMMIT\0$/)
  t.equal(texts.split(writer.token ?? '').length, 2, 'and stands there once')
  t.notMatch(texts, /E'42'/)
})

t.test('a tenant keeps its token for half of the lifetime', async (t) => {
  const { time, writer } = rig()
  writer.write(REST, ACME)
  const first = writer.token
  const linked = { ...REST, link: ACME }
  time.nowMs += LIFETIME_MS / 2 - 1
  t.equal(writer.needsToken(ACME), false)
  t.equal(writer.write(linked, ACME), undefined)
  time.nowMs += 1
  t.equal(writer.needsToken(ACME), true)
  const renewed = writer.write(linked, ACME)
  t.match(renewed, { parts: 1, move: undefined })
  t.not(writer.token, first)
  t.equal(writer.needsToken(ACME), false)
})

t.test('it gets another one when it was reset, or when somebody else was here', async (t) => {
  const { writer } = rig()
  writer.write(REST, ACME)
  writer.forgetToken()
  t.equal(writer.write({ ...REST, link: ACME }, ACME)?.parts, 1)
  const moved = writer.write({ ...REST, link: ACME }, GLOBEX)
  t.match(moved, { parts: 3, move: { isReset: true, verified: { setting: 'app.tenant_id' } } })
  const back = writer.write({ ...REST, link: GLOBEX }, ACME)
  t.equal(back?.parts, 3)
  const cleaned = writer.write({ ...REST, link: ACME, isDirty: true }, ACME)
  t.equal(cleaned?.parts, 3)
})

t.test('from one client of a tenant to another the token stays', async (t) => {
  const { writer } = rig()
  writer.write(REST, ACME)
  const other = buildLink(SOURCE, [{ name: 'timezone', value: 'UTC' }])
  t.match(writer.write({ ...REST, link: ACME }, other), { parts: 1, move: { isReset: false } })
})

t.test('who is not sealed needs none', async (t) => {
  const { writer } = rig()
  const link = buildLink({ ...SOURCE, isolation: 'guarded' }, [])
  t.equal(writer.needsToken(link), false)
  t.equal(writer.write(REST, link)?.parts, 1)
})

t.test('without a key nothing is sent', async (t) => {
  const writer = new LinkWriter(7, () => undefined)
  t.throws(() => writer.write(REST, ACME), /no key to sign with/)
})
