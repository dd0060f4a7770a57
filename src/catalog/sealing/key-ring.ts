import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { EnvelopeRefusedError } from './sealing-errors.ts'

/** Where a secret belongs. An envelope opens there and nowhere else. */
export interface SealContext {
  readonly kind: 'tenant' | 'server'
  /** Of the row. */
  readonly name: string
  /** `databaseUrl`, `url`, `authQuery.url`, or `users.<login>`. */
  readonly place: string
  /** The row's `secrets_version`. */
  readonly version: number
}

/** One key, as `catalog.keys` has it. */
export interface SealingKey {
  /** 1 to 32 letters, digits, `_` and `-`. */
  readonly id: string
  /** 32 bytes in base64. */
  readonly key: string
}

interface Envelope {
  readonly keyId: string
  readonly iv: Buffer
  readonly tag: Buffer
  readonly sealed: Buffer
}

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const ENVELOPE = /^v1:([\w-]{1,32}):([\w-]{16}):([\w-]{22}):([\w-]+)$/
const EPHEMERAL_KEY_ID = 'process'

/**
 * The keys that seal and open passwords of the catalog. An envelope is
 * `v1:<key id>:<iv>:<tag>:<ciphertext>`, the last three in base64url without padding: AES-256-GCM
 * over the password in UTF-8.
 *
 * @see docs/catalog.md
 */
export class KeyRing {
  /** Of the key that seals: the first one. */
  readonly sealingKeyId: string
  readonly #keys: ReadonlyMap<string, KeyObject>

  /**
   * @param keys - The first one seals, all of them open. Without any, a random key that ends with
   *   the process seals, so that nothing is kept in plain even where no key was given.
   * @throws RangeError - when two have the same id, or one is not of 32 bytes.
   */
  constructor(keys: readonly SealingKey[]) {
    const [first, ...others] = keys
    const sealing = first ?? { id: EPHEMERAL_KEY_ID, key: randomKey() }
    this.sealingKeyId = sealing.id
    this.#keys = indexKeys([sealing, ...others])
  }

  /**
   * Seals a password, differently each time.
   *
   * @param secret - Not empty.
   */
  seal(secret: string, context: SealContext): string {
    if (secret === '') throw new RangeError('an empty secret can not be sealed')
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, this.#sealingKey(), iv, { authTagLength: TAG_BYTES })
    cipher.setAAD(associatedBytes(context))
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
    const parts = [iv, cipher.getAuthTag(), sealed].map((bytes) => bytes.toString('base64url'))
    return ['v1', this.sealingKeyId, ...parts].join(':')
  }

  /**
   * @throws EnvelopeRefusedError - when it is no envelope, its key is not in the ring, or it was
   *   not sealed for this place with that key.
   */
  open(envelope: string, context: SealContext): string {
    const parsed = parseEnvelope(envelope)
    if (parsed === undefined) throw new EnvelopeRefusedError('malformed', context)
    const key = this.#keys.get(parsed.keyId)
    if (key === undefined) throw new EnvelopeRefusedError('unknownKey', context)
    const secret = decrypt(parsed, key, context)
    if (secret === undefined) throw new EnvelopeRefusedError('foreign', context)
    return secret
  }

  #sealingKey(): KeyObject {
    return this.#keys.get(this.sealingKeyId) as KeyObject
  }
}

/** Id of the key that an envelope was sealed with; `undefined` when it is none. */
export function keyIdOf(envelope: string): string | undefined {
  return parseEnvelope(envelope)?.keyId
}

function indexKeys(keys: readonly SealingKey[]): Map<string, KeyObject> {
  const byId = new Map<string, KeyObject>()
  for (const { id, key } of keys) {
    if (byId.has(id)) throw new RangeError(`two keys have the id '${id}'`)
    const bytes = Buffer.from(key, 'base64')
    if (bytes.length !== KEY_BYTES) throw new RangeError(`key '${id}' is not of 32 bytes`)
    byId.set(id, createSecretKey(bytes))
  }
  return byId
}

function randomKey(): string {
  return randomBytes(KEY_BYTES).toString('base64')
}

/** The one spelling that JSON gives without spaces, so that other programs find the same bytes. */
function associatedBytes({ kind, name, place, version }: SealContext): Buffer {
  return Buffer.from(JSON.stringify(['pgusher', kind, name, place, version]), 'utf8')
}

function parseEnvelope(envelope: string): Envelope | undefined {
  const [, keyId, ...parts] = ENVELOPE.exec(envelope) ?? []
  const [iv, tag, sealed] = parts.map(decodeBase64Url)
  if (keyId === undefined || iv === undefined || tag === undefined || sealed === undefined) {
    return undefined
  }
  return { keyId, iv, tag, sealed }
}

/** Strict: bits that no byte takes up must be zero, so that an envelope has one spelling. */
function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** `undefined` when the tag does not fit. */
function decrypt(envelope: Envelope, key: KeyObject, context: SealContext): string | undefined {
  const { iv, tag, sealed } = envelope
  const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(associatedBytes(context))
  decipher.setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
