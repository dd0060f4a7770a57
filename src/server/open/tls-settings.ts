import { createHash } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { ServerTls } from '../../catalog/route.ts'

const contexts = new WeakMap<ServerTls, SecureContext>()
const digests = new WeakMap<ServerTls, string>()

/** What OpenSSL makes of the certificates: costs some ms, so it is made once for each settings. */
export function secureContextOf(tls: ServerTls): SecureContext {
  const known = contexts.get(tls)
  if (known !== undefined) return known
  const { rootCertificates: ca, certificate: cert, key } = tls
  const context = createSecureContext({ ca, cert, key })
  contexts.set(tls, context)
  return context
}

/** Equal for settings that are equal, and for no others; `''` for none. Tells no secret. */
export function tlsDigest(tls: ServerTls | undefined): string {
  if (tls === undefined) return ''
  const known = digests.get(tls)
  if (known !== undefined) return known
  const { mode, rootCertificates, certificate, key } = tls
  const { channelBinding, negotiation, isNameSent } = tls
  const pems = [rootCertificates ?? null, certificate ?? null, key ?? null]
  const text = JSON.stringify([mode, ...pems, channelBinding, negotiation, isNameSent])
  const digest = createHash('sha256').update(text).digest('base64')
  digests.set(tls, digest)
  return digest
}
