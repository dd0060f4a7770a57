import { createHash, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { endPointHash } from '../../src/wire/scram/channel-binding.ts'
import { TestAuthority } from '../support/certificates.ts'

const RSA = ['rsa:2048']
const RSA_PSS = ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048']

/** By the kind of the authority's key and the hash of its signature. */
const ROWS = [
  { newKey: undefined, hash: 'sha1', expects: 'sha256' },
  { newKey: undefined, hash: 'sha224', expects: 'sha224' },
  { newKey: undefined, hash: 'sha256', expects: 'sha256' },
  { newKey: undefined, hash: 'sha384', expects: 'sha384' },
  { newKey: undefined, hash: 'sha512', expects: 'sha512' },
  { newKey: RSA, hash: 'md5', expects: 'sha256' },
  { newKey: RSA, hash: 'sha1', expects: 'sha256' },
  { newKey: RSA, hash: 'sha224', expects: 'sha224' },
  { newKey: RSA, hash: 'sha256', expects: 'sha256' },
  { newKey: RSA, hash: 'sha384', expects: 'sha384' },
  { newKey: RSA, hash: 'sha512', expects: 'sha512' },
  { newKey: RSA_PSS, hash: 'sha1', expects: 'sha256' },
  { newKey: RSA_PSS, hash: 'sha256', expects: 'sha256' },
  { newKey: RSA_PSS, hash: 'sha384', expects: 'sha384' },
  { newKey: RSA_PSS, hash: 'sha512', expects: 'sha512' },
  { newKey: ['ed25519'], hash: 'sha256', expects: undefined },
]

for (const newKey of new Set(ROWS.map((row) => row.newKey))) {
  const [kind = 'ec'] = newKey ?? []
  t.test(`signatures by ${kind}`, async (t) => {
    const authority = await TestAuthority.create('signer', newKey)
    t.teardown(() => authority.remove())
    for (const { hash, expects } of ROWS.filter((row) => row.newKey === newKey)) {
      const der = derOf((await authority.issue({ commonName: 'x', hash })).cert)
      const due = expects && createHash(expects).update(der).digest('hex')
      t.equal(endPointHash(der)?.toString('hex'), due, `${kind} with ${hash}`)
    }
  })
}

t.test('bytes that are no certificate have no hash, and do no harm', async (t) => {
  const authority = await TestAuthority.create()
  t.teardown(() => authority.remove())
  const whole = derOf(authority.own.cert)
  for (let length = 0; length < whole.length; length += 1) {
    t.equal(endPointHash(whole.subarray(0, length)), undefined)
  }
  for (const hex of ['', '30', '3080', '308400000001', '3003300130', '30ffffff', '0203010001']) {
    t.equal(endPointHash(Buffer.from(hex, 'hex')), undefined)
  }
  fc.assert(fc.property(fc.uint8Array(), (bytes) => endPointHash(Buffer.from(bytes)) === undefined))
})

function derOf(pem: string): Buffer {
  return new X509Certificate(pem).raw
}
