import { createHash } from 'node:crypto'

/** The one kind of channel binding spoken here, as it stands in `p=`. */
export const TLS_SERVER_END_POINT = 'tls-server-end-point'

const SEQUENCE = 0x30
const OBJECT_IDENTIFIER = 0x06
/** The first field of a SEQUENCE whose fields may all be left out. */
const CONTEXT_0 = 0xa0
/** Most bytes that a length may take here: certificates stay below 16 MB. */
const MAX_LENGTH_BYTES = 3

const RSASSA_PSS = '2a864886f70d01010a'

/**
 * The hash for each signature algorithm, by the hex of its object identifier. MD5 and SHA-1 are
 * too weak: SHA-256 stands in for them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5929#section-4.1
 */
const HASHES: ReadonlyMap<string, string> = new Map([
  // RSA: md5, sha1, sha256, sha384, sha512, sha224
  ['2a864886f70d010104', 'sha256'],
  ['2a864886f70d010105', 'sha256'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a864886f70d01010e', 'sha224'],
  // ECDSA: sha1, sha224, sha256, sha384, sha512
  ['2a8648ce3d0401', 'sha256'],
  ['2a8648ce3d040301', 'sha224'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  // The bare hashes, as RSASSA-PSS names them: sha1, sha256, sha384, sha512, sha224
  ['2b0e03021a', 'sha256'],
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
  ['608648016503040204', 'sha224'],
])

/** One element of DER: its content, and where the next one begins. */
interface Element {
  readonly content: Buffer
  readonly end: number
}

/**
 * What SCRAM binds to: the hash of the server's certificate by the hash function of its signature.
 * `undefined` for a signature without one (Ed25519): no binding is defined for it, and Postgres
 * can't make one either; then channel binding must neither be offered nor chosen.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5929#section-4
 */
export function endPointHash(certificateDer: Buffer): Buffer | undefined {
  const hash = HASHES.get(signatureOid(certificateDer) ?? '')
  return hash === undefined ? undefined : createHash(hash).update(certificateDer).digest()
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, … } */
function signatureOid(certificate: Buffer): string | undefined {
  const body = read(certificate, 0, SEQUENCE)
  const signed = body && read(body.content, 0, SEQUENCE)
  const algorithm = signed && read(body.content, signed.end, SEQUENCE)
  const oid = algorithm && read(algorithm.content, 0, OBJECT_IDENTIFIER)
  const name = oid?.content.toString('hex')
  return algorithm && oid && name === RSASSA_PSS ? pssHashOid(algorithm.content, oid.end) : name
}

/** RSASSA-PSS-params ::= SEQUENCE { [0] SEQUENCE { OID } DEFAULT sha1, … } */
function pssHashOid(algorithm: Buffer, at: number): string | undefined {
  const parameters = read(algorithm, at, SEQUENCE)
  const field = parameters && read(parameters.content, 0, CONTEXT_0)
  const hash = field && read(field.content, 0, SEQUENCE)
  const oid = hash && read(hash.content, 0, OBJECT_IDENTIFIER)
  return oid?.content.toString('hex') ?? '2b0e03021a'
}

/** The element at `at`; `undefined` when it is another one, or cut short. */
function read(bytes: Buffer, at: number, tag: number): Element | undefined {
  const first = bytes[at + 1]
  if (bytes[at] !== tag || first === undefined) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const start = at + 2 + lengthBytes
  if (lengthBytes > MAX_LENGTH_BYTES || first === 0x80 || start > bytes.length) return undefined
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes)
  const end = start + length
  return end > bytes.length ? undefined : { content: bytes.subarray(start, end), end }
}
