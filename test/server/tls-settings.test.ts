import t from 'tap'
import type { ServerTls } from '../../src/catalog/route.ts'
import { secureContextOf, tlsDigest } from '../../src/server/open/tls-settings.ts'
import { TestAuthority } from '../support/certificates.ts'

const authority = await TestAuthority.create()
t.teardown(() => authority.remove())
const TLS: ServerTls = {
  mode: 'prefer',
  rootCertificates: undefined,
  certificate: undefined,
  key: undefined,
  channelBinding: 'prefer',
  negotiation: 'postgres',
  isNameSent: true,
}

t.test('equal settings have one digest, and no two others share one', async (t) => {
  const { cert, key } = await authority.issue({ commonName: 'pool' })
  const others: readonly (ServerTls | undefined)[] = [
    undefined,
    TLS,
    { ...TLS, mode: 'require' },
    { ...TLS, rootCertificates: cert },
    { ...TLS, certificate: cert, key },
    { ...TLS, certificate: cert, key: authority.own.key },
    { ...TLS, channelBinding: 'require' },
    { ...TLS, negotiation: 'direct' },
    { ...TLS, isNameSent: false },
  ]
  t.equal(new Set(others.map(tlsDigest)).size, others.length)
  t.equal(tlsDigest({ ...TLS }), tlsDigest(TLS))
  t.equal(tlsDigest(undefined), '')
  t.notMatch(others.map(tlsDigest).join(), key.slice(40, 80))
})

t.test('the context of one set of settings is made once', async (t) => {
  const tls = { ...TLS, rootCertificates: authority.own.cert }
  t.equal(secureContextOf(tls), secureContextOf(tls))
  t.not(secureContextOf(tls), secureContextOf({ ...tls }))
})
