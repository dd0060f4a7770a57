import fc from 'fast-check'
import t from 'tap'
import { isTokenId, TenantTokenSigner } from '../../src/tenancy/tenant-token.ts'

const KEY = { id: 'k-1', key: Buffer.alloc(32, 7).toString('base64') }
const HOLDER = { tenantId: 'acme', processId: 4711 }

t.test('a token has five parts and lives as long as was said', async (t) => {
  const { text, expiresAtMs } = new TenantTokenSigner(KEY, 60_000).sign(HOLDER, 1_000_000.7)
  t.equal(expiresAtMs, 1_060_000)
  t.match(text, /^61636d65\.1060000\.[0-9a-f]{32}\.k-1\.[0-9a-f]{64}$/)
})

t.test('no two are the same', async (t) => {
  const signer = new TenantTokenSigner(KEY, 60_000)
  const texts = Array.from({ length: 100 }, () => signer.sign(HOLDER, 0).text)
  t.equal(new Set(texts).size, 100)
})

t.test('any id that it takes comes back from the token, in the length that is read', async (t) => {
  const signer = new TenantTokenSigner({ ...KEY, id: 'k'.repeat(32) }, 60_000)
  const check = fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (tenantId) => {
    if (!isTokenId(tenantId)) {
      t.throws(() => signer.sign({ ...HOLDER, tenantId }, 0), RangeError)
      return
    }
    const { text } = signer.sign({ ...HOLDER, tenantId }, Date.now())
    const [id = '', ...others] = text.split('.')
    t.equal(others.length, 4)
    t.equal(Buffer.from(id, 'hex').toString(), tenantId)
    t.ok(text.length >= 100 && text.length <= 1024)
  })
  fc.assert(check, { numRuns: 200 })
})

for (const tenantId of ['', 'a\0b', '\ud800', 'x\udc00', 'x'.repeat(257), 'é'.repeat(129)]) {
  t.test(`no token holds ${JSON.stringify(tenantId).slice(0, 20)}`, async (t) => {
    t.notOk(isTokenId(tenantId))
    const signer = new TenantTokenSigner(KEY, 1)
    t.throws(() => signer.sign({ ...HOLDER, tenantId }, 0), RangeError)
  })
}

t.test('whole surrogate pairs are letters like others', async (t) => t.ok(isTokenId('😀')))

const FAULTS = [
  { key: { ...KEY, id: 'a.b' }, lifetimeMs: 1 },
  { key: { ...KEY, id: '' }, lifetimeMs: 1 },
  { key: { ...KEY, id: 'k'.repeat(33) }, lifetimeMs: 1 },
  { key: { ...KEY, key: Buffer.alloc(31).toString('base64') }, lifetimeMs: 1 },
  { key: KEY, lifetimeMs: 0 },
  { key: KEY, lifetimeMs: Number.NaN },
]
for (const { key, lifetimeMs } of FAULTS) {
  t.test(`refuses ${JSON.stringify({ ...key, lifetimeMs })}`, async (t) => {
    t.throws(() => new TenantTokenSigner(key, lifetimeMs), RangeError)
  })
}
